/**
 * `api`: reads of a car's latest state over HTTPS, with token, tenant, scope, decryption and an audited record of each
 * read, against a bare Fastify route that verifies the same token and answers the same bytes. Ours once as it is served, where
 * a token whose signature verified is remembered for a while, and once checking it on each call. Both are processes of their
 * own and are asked in turns by the same connections. Processor time is told beside the rate, because on a machine with
 * few cores whoever asks takes a part of both.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openPlatformAuthority } from "@kerbside/identity";
import { randomBytes, signingKey, tenantId } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { type Benchmark, type Row, takeTurns, type Work } from "../benchmark.ts";
import { AUDIT, carName, fillLatest } from "../store/cars.ts";
import { AUDIENCE, ISSUER, PATH, type ServerConfig, TENANT } from "./config.ts";
import { Connection } from "./connection.ts";

const CONNECTIONS = 32;
const CARS = 100;
/** Requests before the clock is looked at. */
const ASKED_AT_ONCE = 4;
const ROUNDS = { count: 9, forMs: 400 } as const;
/** Issue: at least half of the bare route's rate. */
const GOAL = { of: "ratio", atLeast: 0.5 } as const;

export const apiBenchmark: Benchmark = {
  name: "api",
  why: "reading a car's latest state over HTTPS against a bare route with the same token",
  run: rows,
};

async function* rows(): AsyncGenerator<Row, void, undefined> {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-bench-api-"));
  const closing: (() => void)[] = [() => rmSync(dir, { recursive: true })];
  try {
    const { config, ca, token } = await prepare(dir);
    const start = async (side: ServerConfig["side"], body: unknown): Promise<Side> => {
      const begun = await startSide(dir, { ...config, side, body }, ca, token);
      closing.push(begun.close);
      return begun;
    };
    const ours = await start("ours", null);
    const answer = await firstAnswer(ours.port, ca, token);
    const bare = await start("bare", answer);
    const served = `latest state, ${CONNECTIONS} connections, each read audited`;
    yield* compared(served, ours, bare, GOAL);
    const verifying = await start("verifying", null);
    yield* compared(`${served}, each token's signature checked anew`, verifying, bare, null);
  } finally {
    for (const close of closing.reverse()) close();
  }
}

async function* compared(
  what: string,
  ours: Side,
  bare: Side,
  goal: Row["goal"],
): AsyncGenerator<Row, void, undefined> {
  const sides = [ours, bare] as const;
  const used = async () => Promise.all(sides.map((side) => side.cpuUs()));
  const asked = () => sides.map((side) => side.asked());
  const [cpuBefore, askedBefore] = [await used(), asked()];
  const rates = await takeTurns(ours.work, bare.work, ROUNDS);
  const [cpu, count] = [await used(), asked()];
  const bytes = sides.map((side) => side.answerBytes());
  const each = (i: 0 | 1): readonly number[] => [
    ((cpu[i] ?? 0) - (cpuBefore[i] ?? 0)) / ((count[i] ?? 0) - (askedBefore[i] ?? 0)),
  ];
  const names = ["API", "bare Fastify with JWT"] as const;
  yield {
    ...{ what: `${what}; answers of ${bytes.join(" and ")} bytes`, unit: "requests/s", goal },
    ours: { name: names[0], values: rates.ours },
    peer: { name: names[1], values: rates.peer },
  };
  yield {
    ...{ what: "the same, processor time of the server for each request", unit: "µs", goal: null },
    ours: { name: names[0], values: each(0) },
    peer: { name: names[1], values: each(1) },
  };
}

type Prepared = {
  readonly config: Omit<ServerConfig, "side" | "body">;
  readonly ca: string;
  readonly token: string;
};

async function prepare(dir: string): Promise<Prepared> {
  const masterKey = randomBytes(32);
  const registry = await openRegistry({ dir, masterKey, create: true });
  const platform = await openPlatformAuthority(registry.platform.vault, Date.now);
  const tls = await platform.issueServer({ dns: ["localhost"], ip: ["127.0.0.1"] });
  await registry.create(tenantId(TENANT), randomBytes(32), AUDIT, async ({ store }) => {
    for (let car = 0; car < CARS; car += 1) {
      const { publicKey } = signingKey(randomBytes(32));
      const record = { vehicle: carName(car), profile: "bench", certificateSerial: "01" };
      await store.putVehicle({ ...record, signingKey: publicKey, enrolledAtMs: 1 }, AUDIT);
    }
    await fillLatest(store, 0, CARS);
  });
  await registry.close();
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const key = { ...(await exportJWK(publicKey)), alg: "ES256", kid: "bench" };
  const token = await new SignJWT({ tenant: TENANT, scope: "events:read" })
    .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: "bench" })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject("bench")
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(privateKey);
  const config = {
    dir,
    masterKey: Buffer.from(masterKey).toString("hex"),
    tls,
    jwks: { keys: [key] },
  };
  return { config, ca: platform.rootCertificate, token };
}

type Side = {
  readonly port: number;
  readonly work: Work;
  readonly asked: () => number;
  /** Of one answer, head and body. */
  readonly answerBytes: () => number;
  readonly cpuUs: () => Promise<number>;
  readonly close: () => void;
};

async function startSide(
  dir: string,
  config: ServerConfig,
  ca: string,
  token: string,
): Promise<Side> {
  const file = join(dir, `${config.side}.json`);
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  const child = fork(fileURLToPath(new URL("./server.ts", import.meta.url)), [file]);
  const port = numberOf(await said(child), "port");
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => Connection.open(port, ca, PATH, token)),
  );
  let asked = 0;
  const one = async (connection: Connection): Promise<void> => {
    for (let i = 0; i < ASKED_AT_ONCE; i += 1) await connection.ask();
  };
  return {
    port,
    asked: () => asked,
    answerBytes: () => connections[0]?.answerBytes() ?? 0,
    work: async () => {
      await Promise.all(connections.map(one));
      asked += CONNECTIONS * ASKED_AT_ONCE;
      return CONNECTIONS * ASKED_AT_ONCE;
    },
    cpuUs: async () => {
      child.send("cpu");
      return numberOf(await said(child), "cpuUs");
    },
    close: () => {
      for (const connection of connections) connection.close();
      child.kill("SIGKILL");
    },
  };
}

async function said(child: ChildProcess): Promise<unknown> {
  const [message] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => Promise.reject(new Error("the server ended"))),
  ]);
  return message;
}

function numberOf(message: unknown, name: "port" | "cpuUs"): number {
  const value: unknown = Object.assign({ [name]: undefined }, message)[name];
  if (typeof value !== "number") throw new Error(`the server told no ${name}`);
  return value;
}

/** What ours answers, so that the other side answers the same. */
async function firstAnswer(port: number, ca: string, token: string): Promise<unknown> {
  const { callApi } = await import("@kerbside/cloud");
  const base = new URL(`https://localhost:${port}`);
  const headers = { authorization: `Bearer ${token}` };
  const { status, body } = await callApi(base, ca, { method: "GET", path: PATH, headers });
  if (status !== 200) throw new Error(`latest state: ${status}`);
  return body;
}
