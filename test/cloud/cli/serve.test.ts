/** `kerbside-cloud serve`: processes, ports, secrets, and what happens when one of them dies. */
import { mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as tlsConnect } from "node:tls";
import { callApi, signIn } from "@kerbside/cloud";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runCloud, type ServingCloud, serveCloud } from "../../support/cloud-process.ts";
import { until } from "../../support/wait.ts";

const test = suite("serve");
const base = mkdtempSync(join(tmpdir(), "kerbside-serve-"));
const dir = join(base, "cloud");
let cloud: ServingCloud;
let ca: string;

test.before(async () => {
  const made = await runCloud(["tenant", "create", "demo", "--data", dir, "--dev"]);
  assert.is(made.code, 0, made.err);
  cloud = await serveCloud(dir);
  ca = readFileSync(join(dir, "tls", "ca.pem"), "utf8");
});
test.after(async () => {
  await cloud.stop();
  rmSync(base, { recursive: true, force: true });
});

/** The processes that a process started, by their ids and command lines. */
function childrenOf(pid: number | undefined): readonly { pid: number; words: string }[] {
  const ids = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  return ids
    .filter((id) => id !== "")
    .map((id) => {
      const words = readFileSync(`/proc/${id}/cmdline`, "utf8").replaceAll("\0", " ");
      return { pid: Number(id), words };
    });
}

function child(words: string): number {
  return childrenOf(cloud.child.pid).find((each) => each.words.includes(words))?.pid ?? 0;
}

async function tokenOf(client: string): Promise<string> {
  const secret = readFileSync(join(dir, "secrets", `client-${client}`), "utf8").trim();
  return signIn(new URL(`https://localhost:${cloud.https}`), ca, { id: client, secret });
}

async function get(path: string, token?: string) {
  const headers: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  return callApi(new URL(`https://localhost:${cloud.https}`), ca, { method: "GET", path, headers });
}

test("a backend signs in and calls the API", async () => {
  const token = await tokenOf("demo-backend");
  const { status, body } = await get("/v1/tenants/demo/vehicles", token);
  assert.equal([status, body["items"]], [200, []]);
  assert.is((await get("/health")).status, 200);
  assert.is((await get("/v1/tenants/demo/vehicles")).status, 401);
});

test("a booking goes through the signer", async () => {
  const token = await tokenOf("demo-backend");
  const answer = await callApi(new URL(`https://localhost:${cloud.https}`), ca, {
    method: "POST",
    path: "/v1/tenants/demo/bookings",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "idempotency-key": "one",
    },
    body: JSON.stringify({
      vehicle: "car-1",
      holder: "p",
      from: new Date().toISOString(),
      to: new Date(Date.now() + 3_600_000).toISOString(),
    }),
  });
  assert.is(answer.status, 404, "no such car: it was asked, and answered");
});

test("P-01 neither port speaks anything but TLS 1.3", async () => {
  for (const port of [cloud.https, cloud.broker]) {
    const old = await new Promise<string>((resolve) => {
      const socket = tlsConnect({ port, host: "localhost", ca, maxVersion: "TLSv1.2" });
      socket.on("secureConnect", () => resolve("connected"));
      socket.on("error", (error) => resolve(error.message));
    });
    assert.not.equal(old, "connected", `port ${port}`);
  }
});

test("P-03 P-11 each process has only its own secret, and none in its title", () => {
  const secret = (name: string): string => readFileSync(join(dir, "secrets", name), "utf8").trim();
  const rows: readonly [words: string, own: string, other: string][] = [
    ["serve node", "master-key", "signer-key"],
    ["serve signer", "signer-key", "master-key"],
  ];
  for (const [words, own, other] of rows) {
    const environ = readFileSync(`/proc/${child(words)}/environ`, "latin1");
    assert.ok(environ.includes(secret(own)), `${words} has its own`);
    assert.not(environ.includes(secret(other)), `${words} has no other`);
    for (const { words: title } of childrenOf(cloud.child.pid))
      assert.not(title.includes(secret(own)));
  }
  assert.is(readlinkSync(`/proc/${child("serve signer")}/cwd`), dir);
  for (const name of ["master-key", "signer-key"]) assert.not(cloud.log().includes(secret(name)));
});

test("a service that is killed is started again, on the same port", async () => {
  for (const words of ["serve signer", "serve node"]) {
    const before = child(words);
    process.kill(before, "SIGKILL");
    await until(`${words} to be back`, () => child(words) !== before && child(words) !== 0);
  }
  await until("the API to answer", () =>
    get("/health").then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
  assert.ok(await tokenOf("demo-backend"));
});

test("a port in use, or a second cloud on the data, ends with one line and status 1", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const other = join(base, "other");
  const rows: readonly [words: readonly string[], says: RegExp][] = [
    [["--data", other, "--https-port", `${port}`, "--broker-port", "0"], /port \d+ is in use/],
    [["--data", other, "--https-port", "0", "--broker-port", `${port}`], /port \d+ is in use/],
    [["--data", dir, "--https-port", "0", "--broker-port", "0"], /another signer listens/],
  ];
  for (const [words, says] of rows) {
    const { code, err } = await runCloud(["serve", "--dev", ...words]);
    assert.is(code, 1, err);
    const said = err.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
    assert.is(said.length, 1, err);
    assert.match(said[0] ?? "", says);
    assert.not.match(err, /^\s+at /m, "no stack");
  }
  taken.close();
});

test("without keys, serve says which and where", async () => {
  const { code, err } = await runCloud(["serve", "--data", join(base, "bare")]);
  assert.is(code, 1);
  assert.match(err, /master-key: expected it in KERBSIDE_MASTER_KEY or in the file/);
});

test("a supervisor that is killed takes its services with it", async () => {
  const victim = await serveCloud(join(base, "victim"));
  const children = childrenOf(victim.child.pid).map(({ pid }) => pid);
  assert.is(children.length, 2);
  victim.child.kill("SIGKILL");
  await until("both services to end", () => children.every((pid) => !isAlive(pid)));
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("it ends in order within two seconds, with status 0", async () => {
  const { code, tookMs } = await cloud.stop();
  assert.is(code, 0, cloud.log());
  // The bound is of a machine with nothing else to do; this one may be running other tests.
  assert.ok(tookMs < 6000, `${tookMs} ms`);
  const verified = await runCloud(["audit", "verify", "--data", dir]);
  assert.is(verified.code, 0, verified.out);
});

test.run();
