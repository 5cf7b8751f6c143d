import { statSync } from "node:fs";
import { join } from "node:path";
import { connect, type SecureVersion } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../support/wait.ts";
import { makeCertificate, type Watching, withRig } from "./rig.ts";

const pem = await makeCertificate();

test("P-01 the cockpit speaks TLS 1.3 and nothing less, and no plain HTTP", async () => {
  await withRig(pem, async ({ drive }) => {
    const port = drive.cockpitPort ?? 0;
    const refused = (maxVersion: SecureVersion): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = connect({ port, host: "localhost", ca: pem.certificate, maxVersion }, () =>
          resolve(false),
        );
        socket.on("error", () => resolve(true));
        socket.on("close", () => socket.destroy());
      });
    assert.is(await refused("TLSv1.2"), true);
    const plain = await fetch(`http://localhost:${port}/`).then(
      () => "answered",
      () => "refused",
    );
    assert.is(plain, "refused");
  });
});

test("P-03 keys are made for their owner alone, and the API asks for its own", async () => {
  await withRig(pem, async ({ call, key }, dataDir) => {
    for (const file of ["cockpit.key", "pairing.key", "car.json", "can.sock", "lock.sock"]) {
      const found = statSync(join(dataDir, file), { throwIfNoEntry: false });
      if (found !== undefined) assert.is(found.mode & 0o077, 0, file);
    }
    for (const shown of ["", "x", `${key}x`, key.slice(1)]) {
      assert.is((await call("GET", "/api/state", undefined, shown)).status, 401, shown);
      assert.is((await call("POST", "/api/action", { type: "refuel" }, shown)).status, 401);
    }
    const page = await call("GET", "/", undefined, "");
    assert.is(page.status, 200);
    assert.match(String(page.headers["content-security-policy"]), /default-src 'none'/);
    assert.not.ok(JSON.stringify(page.body).includes(key));
  });
});

const REQUESTS: readonly {
  readonly why: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly status: number;
}[] = [
  { why: "a file above the page's", method: "GET", path: "/../server.ts", status: 404 },
  { why: "a name of the prototype", method: "GET", path: "/constructor", status: 404 },
  { why: "an unknown call", method: "GET", path: "/api/nothing", status: 404 },
  { why: "no JSON", method: "POST", path: "/api/action", body: "{", status: 400 },
  {
    why: "an unknown action",
    method: "POST",
    path: "/api/action",
    body: { type: "fly" },
    status: 400,
  },
  {
    why: "a locked door",
    method: "POST",
    path: "/api/action",
    body: { type: "door", leaf: "driver", open: true },
    status: 409,
  },
  {
    why: "pedals without a driver",
    method: "POST",
    path: "/api/pedals",
    body: { accelerator: 1, brake: 0 },
    status: 409,
  },
  {
    why: "pedals beyond the floor",
    method: "POST",
    path: "/api/pedals",
    body: { accelerator: 2, brake: 0 },
    status: 400,
  },
  {
    why: "a script of nobody's",
    method: "POST",
    path: "/api/script",
    body: { script: "heist" },
    status: 400,
  },
  {
    why: "an unknown field",
    method: "POST",
    path: "/api/script",
    body: { driveSecond: 3 },
    status: 400,
  },
  {
    why: "too fast a time",
    method: "POST",
    path: "/api/speed",
    body: { speed: 1000 },
    status: 400,
  },
  {
    why: "too long a body",
    method: "POST",
    path: "/api/action",
    body: "x".repeat(20_000),
    status: 413,
  },
  { why: "no script to stop", method: "DELETE", path: "/api/script", status: 200 },
];
test("the API answers each wrong request with what is wrong, and goes on", async () => {
  await withRig(pem, async ({ call }) => {
    for (const { why, method, path, body, status } of REQUESTS) {
      assert.is((await call(method, path, body)).status, status, why);
    }
    assert.is((await call("GET", "/api/state")).status, 200);
  });
});

test("so many pages watch and no more; one that is closed makes room", async () => {
  await withRig(pem, async ({ watch }) => {
    const pages: Watching[] = [];
    for (let page = 1; page <= 8; page += 1) pages.push(await watch());
    assert.equal(
      pages.map(({ status }) => status),
      pages.map(() => 200),
    );
    const refused = await watch();
    assert.is(refused.status, 503);
    await refused.end();
    await pages.pop()?.end();
    await until("room", async () => {
      const again = await watch();
      pages.push(again);
      return again.status === 200;
    });
    for (const page of pages) await page.end();
  });
});

test("a script can be interrupted; a second one is refused meanwhile", async () => {
  await withRig(pem, async ({ call }) => {
    const running = call("POST", "/api/script", {});
    for (;;) {
      const { body } = await call("GET", "/api/state");
      if (body["script"] !== null) break;
    }
    assert.is((await call("POST", "/api/script", {})).status, 409);
    assert.equal((await call("DELETE", "/api/script")).body, { interrupted: true });
    const end = await running;
    assert.is(end.status, 409);
    assert.match(String(end.body["title"]), /interrupted/);
  });
});

test.run();
