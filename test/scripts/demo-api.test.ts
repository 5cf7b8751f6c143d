/** The demo as a backend: it goes on where a service of the cloud died and was started again. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Backend } from "../../scripts/demo/api.ts";
import { ConnectionLost, httpsCaller, httpsSend } from "../../scripts/demo/https.ts";
import { DemoError } from "../../scripts/demo/processes.ts";
import { makePki } from "../cloud/identity/pki.ts";

const pki = await makePki();

/** Answers everything with a token, or not at all. */
async function serve(port: number): Promise<Server> {
  const server = createServer({ ...pki.server }, (_request, response) => {
    response.end(JSON.stringify({ access_token: "t", expires_in: 600, items: [] }));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function end(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

test("a request to a service that is starting again is sent again until it is there", async () => {
  const data = mkdtempSync(join(tmpdir(), "kerbside-demo-"));
  const paths = { clientSecret: join(data, "secret") };
  writeFileSync(paths.clientSecret, "secret\n");
  const first = await serve(0);
  const port = portOf(first);
  const call = httpsCaller(port, pki.platform.rootCertificate);
  const send = httpsSend(port, pki.platform.rootCertificate);
  const backend = new Backend({ paths, cloud: { call, send } }, "demo");
  assert.is((await backend.ask("/vehicles")).status, 200);

  await end(first);
  const lost = await call("/").catch((error: unknown) => error);
  assert.instance(lost, ConnectionLost, "a caller of its own is told");
  assert.instance(lost, DemoError, "in words, not by a stack trace");
  const asked = backend.ask("/vehicles");
  const named = backend.client.call("listVehicles");
  const again = await serve(port);
  assert.is((await asked).status, 200);
  assert.equal((await named).items, []);
  await end(again);
  rmSync(data, { recursive: true });
});

test.run();
