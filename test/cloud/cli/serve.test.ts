/** `kerbside-cloud serve`: processes, ports, secrets, and what happens when one of them dies. */
import { mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PeerCertificate, connect as tlsConnect } from "node:tls";
import { callApi, signIn } from "@kerbside/cloud";
import { openVault } from "@kerbside/tenants";
import BetterSqlite3 from "better-sqlite3";
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
  const rows: readonly [words: string, own: string][] = [
    ["serve node", "master-key"],
    ["serve signer", "signer-key"],
    ["serve issuer", "issuer-key"],
  ];
  for (const [words, own] of rows) {
    const environ = readFileSync(`/proc/${child(words)}/environ`, "latin1");
    assert.ok(environ.includes(secret(own)), `${words} has its own`);
    for (const [, other] of rows)
      assert.is(environ.includes(secret(other)), other === own, `${words} has ${other}`);
    for (const { words: title } of childrenOf(cloud.child.pid))
      assert.not(title.includes(secret(own)));
  }
  assert.is(readlinkSync(`/proc/${child("serve signer")}/cwd`), dir);
  for (const [, name] of rows) assert.not(cloud.log().includes(secret(name)));
});

test("P-02 P-11 with all that the node has, nobody gets at the issuer's key", async () => {
  const key = (name: string): Uint8Array =>
    new Uint8Array(
      Buffer.from(readFileSync(join(dir, "secrets", name), "utf8").trim(), "base64url"),
    );
  const held = openVault(join(dir, "platform-vault.sealed"), key("master-key"), "platform", "read");
  assert.equal(
    (await held.names()).filter((name) => /oauth|issuer/.test(name)),
    ["issuer/keys"],
  );
  const handed = Buffer.from((await held.get("issuer/keys")) ?? new Uint8Array()).toString();
  assert.not.match(handed, /"d":/, "the public half only");
  const file = join(dir, "issuer-vault.sealed");
  for (const other of ["master-key", "signer-key"]) {
    const read = openVault(file, key(other), "issuer", "read").get("oauth/signing-key");
    const code = await read.then(
      () => "opened",
      (error: { code?: string }) => error.code,
    );
    assert.is(code, "unauthenticated", other);
  }
  assert.ok(await openVault(file, key("issuer-key"), "issuer", "read").get("oauth/signing-key"));
});

test("without the embedded issuer there is no process, no address and no belief of it", async () => {
  const alone = join(base, "alone");
  const issuer = ["--trust-issuer", "https://login.example", "--trust-jwks"];
  const refused = await runCloud(["serve", "--data", alone, "--dev", "--no-embedded-issuer"]);
  assert.is(refused.code, 2, refused.err);
  assert.match(refused.err, /--trust-issuer/);
  const words = [...issuer, "https://login.example/jwks", "--no-embedded-issuer"];
  const other = await serveCloud(alone, [...words, "--name", "cars.example,127.0.0.9"]);
  try {
    const started = childrenOf(other.child.pid).map(({ words }) => words);
    assert.is(started.length, 2);
    assert.not(started.some((each) => each.includes("serve issuer")));
    const base = new URL(`https://localhost:${other.https}`);
    const root = readFileSync(join(alone, "tls", "ca.pem"), "utf8");
    const { status } = await callApi(base, root, { method: "GET", path: "/oauth/jwks" });
    assert.is(status, 404);
    const { subjectaltname = "" } = await certificateAt(other.https, root);
    for (const name of ["DNS:cars.example", "DNS:localhost", "IP Address:127.0.0.9"])
      assert.ok(subjectaltname.includes(name), name);
  } finally {
    await other.stop();
  }
  const wrong = await runCloud(["serve", "--data", alone, "--dev", "--name", "no name"]);
  assert.is(wrong.code, 2, wrong.err);
});

function certificateAt(port: number, root: string): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ port, host: "localhost", ca: root }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

test("P-53 a service that is killed is started again, on the same port, and its end is recorded for good", async () => {
  for (const words of ["serve signer", "serve node", "serve issuer"]) {
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
  await until("the issuer to answer", () =>
    tokenOf("demo-backend").then(
      () => true,
      () => false,
    ),
  );
  const db = new BetterSqlite3(join(dir, "platform.sqlite"), { readonly: true });
  const ends = db.prepare<[], { subject: string; reason: string }>(
    "SELECT subject, reason FROM audit WHERE action = 'service.end' AND outcome = 'failed' ORDER BY seq",
  );
  await until("the node to have entered them", () => ends.all().length >= 2);
  const [signer, node] = ends.all();
  db.close();
  assert.is(signer?.subject, "service:signer");
  assert.match(signer?.reason ?? "", /^ended with SIGKILL at \d{4}-/);
  assert.is(node?.subject, "service:node");
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

test("P-71 a client that is revoked is refused at the next call, with a token that would live on", async () => {
  const of = ["--data", dir, "--tenant", "demo"];
  const added = await runCloud(["client", "add", "night-shift", "--for", "backend", ...of]);
  assert.is(added.code, 0, added.err);
  const token = await tokenOf("night-shift");
  assert.is((await get("/v1/tenants/demo/vehicles", token)).status, 200);
  const revoked = await runCloud(["client", "revoke", "night-shift", ...of]);
  assert.is(revoked.code, 0, revoked.err);
  assert.is((await get("/v1/tenants/demo/vehicles", token)).status, 401);
  const again = await tokenOf("night-shift").then(() => "a token", String);
  assert.match(again, /invalid_client|401/);
  assert.is((await get("/v1/tenants/demo/vehicles", await tokenOf("demo-backend"))).status, 200);
});

test("a supervisor that is killed takes its services with it", async () => {
  const victim = await serveCloud(join(base, "victim"));
  const children = childrenOf(victim.child.pid).map(({ pid }) => pid);
  assert.is(children.length, 3);
  victim.child.kill("SIGKILL");
  await until("all services to end", () => children.every((pid) => !isAlive(pid)));
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
