/** Two operators on one cloud: the token and the car of one are nobody at the other's. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { CHANNELS, LANES, tenantId, topicOf, upTopicOf, vehicleId } from "@kerbside/protocol";
import { enrol, type Identity } from "@kerbside/uplink";
import mqtt from "mqtt";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson } from "../../scripts/demo/api.ts";
import { ensureTenant, TENANT, VEHICLE } from "../../scripts/demo/parts.ts";
import { runProgram } from "../../scripts/demo/processes.ts";
import { World } from "../support/world.ts";

const OTHER = "other";
const CAR = "car-9";

/** Enrols a car of the other tenant. */
async function otherCar(world: World, dir: string): Promise<Identity> {
  const [made] = await runProgram("kerbside-cloud", [
    ...["vehicle", "enrol", "--tenant", OTHER, "--vehicle", CAR, "--profile", "kerbside-sim"],
    ...["--data", world.paths.cloud, "--dev", "--json"],
  ]);
  return await enrol({
    dir,
    address: { tenant: tenantId(OTHER), vehicle: vehicleId(CAR) },
    url: `https://localhost:${world.ports.https}`,
    ca: readFileSync(world.paths.ca, "utf8"),
    token: String(made?.["token"]),
  });
}

async function tokenOf(world: World, tenant: string): Promise<string> {
  const secret = readFileSync(
    join(world.paths.cloud, "secrets", `client-${tenant}-backend`),
    "utf8",
  ).trim();
  const credentials = Buffer.from(`${tenant}-backend:${secret}`).toString("base64");
  const { body } = await world.cloud.call("/oauth/token", {
    method: "POST",
    headers: { authorization: `Basic ${credentials}` },
    body: "grant_type=client_credentials",
  });
  return isJson(body) ? String(body["access_token"]) : "";
}

/** Connects with the other car's certificate under a client id; resolves with how it ended. */
function tryConnect(
  world: World,
  identity: Identity,
  clientId: string,
  then: (client: mqtt.MqttClient) => void,
): Promise<"refused" | "cut" | "accepted"> {
  return new Promise((resolve) => {
    const client = mqtt.connect(`mqtts://localhost:${world.ports.broker}`, {
      ...identity.tls,
      clientId,
      protocolVersion: 4,
      reconnectPeriod: 0,
    });
    let connected = false;
    const end = (how: "refused" | "cut" | "accepted"): void => {
      client.end(true);
      resolve(how);
    };
    client.on("connect", () => {
      connected = true;
      then(client);
      // A ping that is answered after what was tried shows that the line was left standing.
      client.subscribe(
        topicOf({ tenant: tenantId(OTHER), vehicle: vehicleId(CAR) }, "ack"),
        { qos: 1 },
        (error) => (error === null ? end("accepted") : undefined),
      );
    });
    client.on("error", () => undefined);
    client.on("close", () => end(connected ? "cut" : "refused"));
  });
}

test("P-02 P-10 a token and a car of another tenant are refused everywhere", async () => {
  await using world = await World.whole();
  await ensureTenant(world.paths, OTHER);
  const dir = mkdtempSync(join(tmpdir(), "kerbside-other-"));
  const identity = await otherCar(world, dir);
  const token = await tokenOf(world, OTHER);
  const headers = { authorization: `Bearer ${token}` };
  const own = await world.cloud.call(`/v1/tenants/${OTHER}/vehicles`, { headers });
  assert.is(own.status, 200, "it is a token that works at home");

  const asked = [
    `/vehicles`,
    `/vehicles/${VEHICLE}`,
    `/vehicles/${VEHICLE}/latest`,
    `/bookings`,
    `/events?vehicle=${VEHICLE}`,
    `/feed`,
  ];
  for (const path of asked) {
    const foreign = await world.cloud.call(`/v1/tenants/${TENANT}${path}`, { headers });
    const nowhere = await world.cloud.call(`/v1/tenants/no-such-tenant${path}`, { headers });
    assert.is(foreign.status, 404, path);
    const shape = (body: unknown): string =>
      JSON.stringify(body).replaceAll("no-such-tenant", TENANT);
    assert.is(shape(foreign.body), shape(nowhere.body), `${path} tells that the tenant exists`);
  }
  const unlock = await world.cloud.call(`/v1/tenants/${TENANT}/vehicles/${VEHICLE}/commands`, {
    method: "POST",
    headers: { ...headers, "idempotency-key": "1" },
    body: { action: "unlock" },
  });
  assert.is(unlock.status, 404);
  const across = await world.cloud.call(`/v1/tenants/${OTHER}/vehicles/${VEHICLE}/commands`, {
    method: "POST",
    headers: { ...headers, "idempotency-key": "1" },
    body: { action: "unlock" },
  });
  assert.ok([403, 404].includes(across.status), "its own tenant has no such car");
  assert.is(await world.pulses(), 0);

  const before = (await world.listed()).length;
  assert.is(await tryConnect(world, identity, `${TENANT}.${VEHICLE}`, () => undefined), "refused");
  assert.is(await tryConnect(world, identity, `${OTHER}.${VEHICLE}`, () => undefined), "refused");
  const victim = { tenant: tenantId(TENANT), vehicle: vehicleId(VEHICLE) };
  const foreignTopics = [
    ...LANES.map((lane) => upTopicOf(victim, lane)),
    ...(["session", "result", "gone", "ack", "command"] as const).map((channel) =>
      topicOf(victim, channel),
    ),
  ];
  assert.ok(foreignTopics.length > Object.keys(CHANNELS).length - 2);
  for (const topic of foreignTopics) {
    const how = await tryConnect(world, identity, `${OTHER}.${CAR}`, (client) => {
      client.publish(topic, Buffer.from([0]), { qos: 1 });
    });
    assert.is(how, "cut", `publishing on ${topic}`);
  }
  const backend = await world.backend.ask(`/vehicles/${VEHICLE}`);
  assert.is(isJson(backend.body) && backend.body["online"], true, "the car itself noticed nothing");
  assert.is((await world.listed()).length, before);
  rmSync(dir, { recursive: true });
});

test("P-01 no certificate, or one of nobody, does not get past the handshake", async () => {
  await using world = await World.cloudOnly();
  const ca = readFileSync(world.paths.ca, "utf8");
  const outcome = await new Promise<string>((resolve) => {
    const socket = connect({
      host: "localhost",
      port: world.ports.broker,
      ca,
      minVersion: "TLSv1.3",
    });
    socket.on("error", (error: Error & { code?: string }) => resolve(error.code ?? error.message));
    socket.on("secureConnect", () => socket.write("x"));
    socket.on("close", () => resolve("closed"));
  });
  assert.match(outcome, /CERTIFICATE_REQUIRED|closed|ECONNRESET/);
  const plain = await new Promise<string>((resolve) => {
    const client = mqtt.connect(`mqtt://localhost:${world.ports.broker}`, { reconnectPeriod: 0 });
    client.on("connect", () => resolve("connected"));
    client.on("error", () => undefined);
    client.on("close", () => {
      client.end(true);
      resolve("closed");
    });
  });
  assert.is(plain, "closed", "there is no plaintext listener");
});

test.run();
