/** A car at the services as processes: it joins by the token of the command line, and leaves when it is revoked. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, uptime } from "node:os";
import { join } from "node:path";
import { callApi, signIn } from "@kerbside/cloud";
import {
  quotasOf,
  randomBytes,
  systemClock,
  type TransportConnection,
  tenantId,
  topicOf,
  utf8,
  vehicleId,
} from "@kerbside/protocol";
import { enrol, type Identity, mqttTransport } from "@kerbside/uplink";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refuses } from "../../conformance/car-log.ts";
import { callCloud } from "../../support/cloud-call.ts";
import { jsonLines, runCloud, type ServingCloud, serveCloud } from "../../support/cloud-process.ts";
import { until } from "../../support/wait.ts";
import { openReceiver, type Receiver } from "../webhooks/receiver.ts";

const test = suite("car at the cloud");
const base = mkdtempSync(join(tmpdir(), "kerbside-car-"));
const dir = join(base, "cloud");
const car = ["--data", dir, "--tenant", "demo", "--vehicle", "car-1"];
const address = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
let cloud: ServingCloud;
let receiver: Receiver;

test.before(async () => {
  const made = await runCloud(["tenant", "create", "demo", "--data", dir, "--dev"]);
  assert.is(made.code, 0, made.err);
  receiver = await openReceiver();
  const caFile = join(base, "receiver.pem");
  writeFileSync(caFile, receiver.ca);
  // As an operator allows a network of their own; without it this machine is no address for a webhook.
  const ways = ["--webhook-networks", "127.0.0.0/8,::1", "--webhook-ca", caFile];
  cloud = await serveCloud(dir, ways);
});
test.after(async () => {
  await cloud.stop();
  await receiver.close();
  rmSync(base, { recursive: true, force: true });
});

async function newToken(): Promise<string> {
  const { out, err } = await callCloud(["vehicle", "enrol", ...car, "--profile", "p-1"]);
  assert.is(err, "");
  return out.trim();
}

function joinCloud(token: string, files: string): Promise<Identity> {
  const ca = readFileSync(join(dir, "tls", "ca.pem"), "utf8");
  const url = `https://localhost:${cloud.https}`;
  return enrol({ dir: join(base, files), address, url, ca, token });
}

async function connect(
  identity: Identity,
  closed: () => void = () => undefined,
): Promise<TransportConnection> {
  const clock = systemClock(() => uptime() * 1000);
  const { host, port } = identity.broker;
  const transport = mqttTransport({ address, host, port, tls: () => identity.tls, clock });
  const will = { topic: topicOf(address, "gone"), payload: randomBytes(16) };
  return transport.connect({ message: () => undefined, closed }, will, AbortSignal.timeout(20_000));
}

async function state(): Promise<unknown> {
  const { out } = await callCloud(["vehicle", "list", "--data", dir, "--tenant", "demo", "--json"]);
  return jsonLines(out)[0]?.["state"];
}

test("P-01 a token enrols one car once; what does not verify is put aside; revoked it is out", async () => {
  const token = await newToken();
  const identity = await joinCloud(token, "one");
  assert.is(identity.broker.port, cloud.broker);
  await refuses("forbidden", joinCloud(token, "two"), "the token is used up");
  const again = await callCloud(["vehicle", "enrol", ...car, "--profile", "p-1"]);
  assert.is(again.code, 1);
  assert.match(again.err, /is enrolled already/);

  let isClosed = false;
  const connection = await connect(identity, () => {
    isClosed = true;
  });
  await connection.publish(topicOf(address, "session"), utf8("nonsense"));
  const aside = await callCloud(["quarantine", "--data", dir, "--tenant", "demo", "--json"]);
  assert.equal(
    jsonLines(aside.out).map((line) => [line["vehicle"], line["topic"]]),
    [["car-1", "kb/v1/demo/car-1/session"]],
  );
  assert.is(await state(), "offline", "it has announced no session");

  const revoked = await callCloud(["vehicle", "revoke", ...car, "--reason", "stolen"]);
  assert.is(revoked.code, 0, revoked.err);
  await until("the live connection to end", () => isClosed);
  await refuses("unavailable", connect(identity), "and it does not come back");
  assert.is(await state(), "revoked");

  const renewed = await joinCloud(await newToken(), "three");
  const back = await connect(renewed);
  await back.close();
  await refuses("unavailable", connect(identity), "the old certificate stays out");
});

/** A command of `webhook`, and what it prints. */
async function webhook(...words: readonly string[]): Promise<string> {
  const where = ["--data", dir, "--tenant", "demo", "--url", `https://localhost:${cloud.https}`];
  const { code, out, err } = await callCloud(["webhook", ...words, ...where]);
  assert.is(code, 0, err);
  return out;
}

test("P-33 a webhook of the command line is told of a car, signed by the secret that it printed", async () => {
  const where = ["--url-of-receiver", receiver.url, "--topics", "vehicle"];
  const [made = {}] = jsonLines(await webhook("add", ...where, "--json"));
  receiver.secret = String(made["secret"]);
  receiver.answer = 500;
  await callCloud(["vehicle", "revoke", ...car, "--reason", "sold"]);
  const refused = /dead 0, .*waiting \(attempts \d+, .*why status 500\)/;
  await until("it was told and refused", async () => refused.test(await webhook("list")));
  receiver.answer = 204;
  await webhook("change", "--webhook", String(made["webhook"]), "--on");
  await until("it is taken", async () => !(await webhook("list")).includes("waiting"));
  const heard = new Set(receiver.heard.map((one) => JSON.stringify([one.ids, one.verified])));
  assert.equal([...heard], ['[["car-1"],true]'], "each time the same");
});

type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

test("P-83 who runs the platform orders a tenant by the API, bounds it and takes it away", async () => {
  const client = ["platform", "client", "ops", "--tenant", "demo", "--data", dir];
  assert.is((await callCloud(client)).code, 0);
  const ca = readFileSync(join(dir, "tls", "ca.pem"), "utf8");
  const base = new URL(`https://localhost:${cloud.https}`);
  const secret = readFileSync(join(dir, "secrets", "client-ops"), "utf8").trim();
  const token = await signIn(base, ca, { id: "ops", secret });
  const ask = (method: "GET" | "POST" | "PATCH", path: string, body?: object): Promise<Answer> =>
    callApi(base, ca, {
      ...{ method, path: `/v1/platform/tenants${path}` },
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const ordered = await ask("POST", "", { tenant: "newcomer", quotas: { cars: 3 } });
  assert.equal([ordered.status, ordered.body["state"]], [202, "ordered"], JSON.stringify(ordered));
  assert.is((await ask("POST", "", { tenant: "newcomer" })).status, 409);
  await until("it is made", async () => (await ask("GET", "/newcomer")).body["state"] === "ready");
  const agreed = await ask("PATCH", "/newcomer", { people: 9 });
  assert.equal({ ...Object(agreed.body["quotas"]) }, quotasOf({ cars: 3, people: 9 }));
  const items = (await ask("GET", "")).body["items"];
  assert.is(Array.isArray(items) ? items.length : 0, 2);
  const own = readFileSync(join(dir, "secrets", "client-newcomer-backend"), "utf8").trim();
  assert.ok(await signIn(base, ca, { id: "newcomer-backend", secret: own }), "its client signs in");
  assert.is((await ask("POST", "/newcomer/remove", { tenant: "demo" })).status, 400);
  const removed = await ask("POST", "/newcomer/remove", { tenant: "newcomer" });
  assert.is(removed.status, 200);
  assert.match(String(removed.body["statement"]), /newcomer/);
  assert.is((await ask("GET", "/newcomer")).status, 404);
});

test("P-50 P-51 each step of it is in the audit trail", async () => {
  const { code, out } = await callCloud(["audit", "verify", "--data", dir, "--json"]);
  assert.is(code, 0, out);
  // Two keys issued; token, enrolment and revocation; token and enrolment again.
  const demo = jsonLines(out).find((line) => line["trail"] === "demo");
  assert.ok(Number(demo?.["entries"]) >= 7, out);
});

test.run();
