/** P-90, P-01: a replica on another machine, over TLS that both sides prove themselves in. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { connect as connectPlain, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect } from "node:tls";
import { fileURLToPath } from "node:url";
import { makeLinkCertificates } from "@kerbside/identity";
import { ProtocolError, tenantId } from "@kerbside/protocol";
import {
  followReplica,
  markStage,
  openRegistry,
  openReplica,
  replicaWriter,
  type ServedReplica,
  serveReplica,
  stageOf,
} from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, allEvents, booking, CarLog } from "../../conformance/car-log.ts";
import { person } from "../../conformance/people-store.ts";
import { freshSeed, randomOf } from "../../fuzz/random.ts";
import { jsonLines, runCloud, startCloud } from "../../support/cloud-process.ts";
import { realClock, silentLog } from "../../support/runtime.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";
import { until } from "../../support/wait.ts";

const EVERY_MS = 100;
/** A log of more than 8 MB is taken in. */
const TURNS = 4;
const SEGMENTS_A_TURN = 16;
const parts = { clock: realClock, log: silentLog };
const certificates = await makeLinkCertificates("127.0.0.1", Date.now());
type World = {
  files: TestRegistry;
  base: string;
  to: string;
  ends: (() => void | Promise<void>)[];
};
const test = suite<World>("replica link");
test.before.each(async (world) => {
  world.files = await testRegistry();
  world.base = mkdtempSync(join(tmpdir(), "kerbside-link-"));
  world.to = join(world.base, "replica");
  world.ends = [];
  await world.files.create("demo");
});
test.after.each(async ({ files, base, ends }) => {
  for (const end of ends.reverse()) await end();
  await files.close();
  rmSync(base, { recursive: true, force: true });
});

async function serve({ files, ends }: World, port = 0): Promise<ServedReplica> {
  const of = { source: files.dir, host: "127.0.0.1", port, everyMs: EVERY_MS };
  const served = await serveReplica({ ...parts, ...of, certificates: certificates.primary });
  ends.push(served.close);
  return served;
}

/** Answers how many rounds are durable at the other side by now. */
function follow({ to, ends }: World, port: number): () => number {
  let rounds = 0;
  const of = { to, host: "127.0.0.1", port, certificates: certificates.standby };
  const stage = "production";
  ends.push(followReplica({ ...parts, ...of, stage, told: () => (rounds += 1) }));
  return () => rounds;
}

/** Until all that is committed now is at the other side. */
async function caughtUp(rounds: () => number): Promise<void> {
  const wanted = rounds() + 2;
  await until("two more rounds", () => rounds() >= wanted, 60_000);
}

async function takenOver({ files, base, to }: World, name: string) {
  const dir = join(base, name);
  cpSync(to, dir, { recursive: true, filter: (path) => !path.endsWith("-shm") });
  const registry = await openRegistry({ dir, masterKey: files.masterKey });
  const store = (await registry.tenant("demo"))?.store;
  if (store === undefined) throw new ProtocolError("not_found", "demo");
  return { registry, store };
}

test("P-90 what is committed is on the other machine with the next round, logs taken in, tenants come and go", async (world) => {
  const { files, to } = world;
  const store = (await files.registry.tenant("demo"))?.store;
  const rounds = follow(world, (await serve(world)).port);
  const log = new CarLog();
  const record = person({ state: "suspended", suspendedAtMs: 1 });
  await store?.people.putPerson(record, AUDIT);
  let committed = 0;
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (let i = 0; i < SEGMENTS_A_TURN; i += 1) {
      const note = randomBytes(1500).toString("base64");
      const words = Array.from({ length: 100 }, (_, k) =>
        log.note(k, `${k}${note.slice(k)}${randomBytes(1000).toString("hex")}`),
      );
      await store?.commitSegments([log.next("state", words)]);
      committed += 100;
    }
    await store?.putBooking(booking(`b-${turn}`, 1), AUDIT);
    if (turn % 2 === 0) continue;
    const startMs = performance.now();
    await caughtUp(rounds);
    assert.ok(performance.now() - startMs < 60_000, "less than a minute behind");
    const there = await takenOver(world, `new-${turn}`);
    assert.is((await allEvents(there.store)).length, committed);
    assert.is((await there.store.booking(`b-${turn}`))?.holder, "person-17");
    assert.equal(there.store.verifyAudit(), { entries: turn + 2, unanchored: 0, problems: [] });
    await there.registry.close();
  }
  const [directory = ""] = readdirSync(join(to, "tenants"));
  const { size } = statSync(join(to, "tenants", directory, "store.sqlite"));
  assert.ok(size > 2e6, `the log was taken into the file there, which has ${size} bytes`);
  await store?.people.erasePerson(record.person, AUDIT);
  await files.create("rival");
  await caughtUp(rounds);
  const there = await takenOver(world, "erased");
  assert.equal(
    (await there.store.people.person(record.person))?.profile,
    {},
    "P-31 a key that is gone here is gone there",
  );
  assert.equal(there.registry.list().map(String), ["demo", "rival"]);
  await there.registry.close();
  await files.registry.remove(tenantId("rival"), AUDIT);
  await caughtUp(rounds);
  assert.is(readdirSync(join(to, "tenants")).length, 1);
});

test("P-90 a connection that breaks is dialled again, and nothing is missing then", async (world) => {
  const { files } = world;
  const store = (await files.registry.tenant("demo"))?.store;
  const served = await serve(world);
  const rounds = follow(world, served.port);
  await caughtUp(rounds);
  await store?.putBooking(booking("b-1", 1), AUDIT);
  await served.close();
  await store?.putBooking(booking("b-2", 1), AUDIT);
  await serve(world, served.port);
  await caughtUp(rounds);
  const there = await takenOver(world, "after");
  assert.is((await there.store.bookings()).length, 2);
  assert.equal(there.store.verifyAudit().problems, []);
  await there.registry.close();
});

/** Stands between the two machines; counts what the primary sends, and breaks what is there. */
async function openWire(world: World, port: number) {
  const open = new Set<Socket>();
  let bytes = 0;
  const server = createServer((near) => {
    const far = connectPlain(port, "127.0.0.1");
    far.on("data", (chunk) => (bytes += chunk.length));
    far.pipe(near).pipe(far);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => {
        open.delete(socket);
        for (const other of [near, far]) other.destroy();
      });
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const cut = (): void => {
    for (const socket of [...open]) socket.destroy();
  };
  world.ends.push(() => {
    cut();
    return new Promise<void>((done) => server.close(() => done()));
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    bytes: () => bytes,
    cut,
  };
}

const CUTS = 5;

test("P-90 cut off at any moment, it goes on after the last round that was done; a follower that is started anew gets whole copies", async (world) => {
  const random = randomOf(freshSeed());
  process.stdout.write(`seed ${random.seed}\n`);
  const store = (await world.files.registry.tenant("demo"))?.store;
  const log = new CarLog();
  let committed = 0;
  const commit = async (count: number): Promise<void> => {
    const note = randomBytes(1500).toString("hex");
    const words = Array.from({ length: count }, (_, k) => log.note(k, `${k} ${note}`));
    await store?.commitSegments([log.next("state", words)]);
    committed += count;
  };
  for (let i = 0; i < 8; i += 1) await commit(100);
  const wire = await openWire(world, (await serve(world)).port);
  const rounds = follow(world, wire.port);
  await caughtUp(rounds);
  const whole = wire.bytes();
  assert.ok(whole > 1e6, `${whole}`);
  for (let i = 0; i < CUTS; i += 1) {
    await commit(5);
    await new Promise((resolve) => setTimeout(resolve, random.int(2 * EVERY_MS)));
    await commit(5);
    wire.cut();
    await caughtUp(rounds);
  }
  const since = wire.bytes() - whole;
  assert.ok(since < whole / 2, `no whole copies: ${since} bytes after ${whole}`);
  const there = await takenOver(world, "cut");
  assert.is((await allEvents(there.store)).length, committed);
  assert.equal(there.store.verifyAudit().problems, []);
  await there.registry.close();
  await world.ends.pop()?.();
  await caughtUp(follow(world, wire.port));
  assert.ok(wire.bytes() - whole - since > whole / 2, "whole copies");
  const anew = await takenOver(world, "anew");
  assert.is((await allEvents(anew.store)).length, committed);
  await anew.registry.close();
});

test("P-01 who shows no certificate of the replica's authority is told nothing, and trusts nobody else", async (world) => {
  const { port } = await serve(world);
  const foreign = await makeLinkCertificates("127.0.0.1", Date.now());
  const { ca } = certificates.primary;
  const callers = [
    { ca },
    { ca, cert: foreign.standby.cert, key: foreign.standby.key },
    // A server's certificate is none to dial with.
    { ca, cert: certificates.primary.cert, key: certificates.primary.key },
    { ...certificates.standby, maxVersion: "TLSv1.2" as const },
  ];
  for (const caller of callers) {
    const socket = connect({ ...caller, host: "127.0.0.1", port });
    let bytes = 0;
    socket.on("data", (chunk) => (bytes += chunk.length));
    socket.on("error", () => undefined);
    await new Promise<void>((done) => socket.once("close", () => done()));
    assert.is(bytes, 0);
  }
  const refused = connect({ ...foreign.standby, host: "127.0.0.1", port });
  const [error] = await once(refused, "error");
  assert.match(String(error), /self-signed|certificate/i);
  assert.not(existsSync(join(world.to, "anchors.sqlite")));
});

test("P-94 a replica of one stage takes nothing of the other, and carries its own", async (world) => {
  const { files, base, to } = world;
  const round = { order: { do: "round" }, bytes: new Uint8Array() } as const;
  assert.throws(() => replicaWriter(to, "staging")(round), /expected its stage first/);
  const { port } = await serve(world);
  const refused = Promise.withResolvers<ProtocolError>();
  const of = { host: "127.0.0.1", port, certificates: certificates.standby };
  const follower = followReplica({
    ...parts,
    ...of,
    to,
    stage: "staging",
    refused: refused.resolve,
  });
  world.ends.push(follower);
  assert.match((await refused.promise).message, /is of production, and this is staging/);
  assert.equal(readdirSync(to), [], "nothing was written");
  // A directory that is of staging already, whatever is said of where this is.
  markStage(to, "staging");
  cpSync(join(files.dir, "platform.sqlite"), join(to, "platform.sqlite"));
  const again = Promise.withResolvers<ProtocolError>();
  world.ends.push(
    followReplica({ ...parts, ...of, to, stage: "production", refused: again.resolve }),
  );
  assert.is((await again.promise).code, "conflict");
  assert.throws(() => openReplica(files.dir, to), /is of staging, and this is production/);
  const staging = join(base, "staging");
  cpSync(files.dir, staging, { recursive: true });
  markStage(staging, "staging");
  const copy = join(base, "copy");
  const own = openReplica(staging, copy);
  await own.round();
  own.close();
  assert.is(stageOf(copy), "staging");
});

/** Segments, each of so many events, that another process commits before all are killed. */
const WRITES = 200;
const EVENTS_A_WRITE = 20;

/** A process that writes to the primary's store as fast as it can; when each was told to be committed. */
function startWriter({ dir, masterKey }: TestRegistry) {
  const script = fileURLToPath(new URL("./commit-process.ts", import.meta.url));
  const words = [script, dir, Buffer.from(masterKey).toString("hex"), "1000000"];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  const toldMs: number[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (!line.startsWith("log ")) toldMs.push(performance.now());
  });
  return { child, toldMs };
}

async function readyLine(child: ChildProcess): Promise<Readonly<Record<string, unknown>>> {
  if (child.stdout === null) throw new Error("its output is piped");
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  return jsonLines(String(line))[0] ?? {};
}

test("P-90 by command: keys, a side that serves, a side that follows, and a replica that is a data directory", async (world) => {
  const { files, base, to } = world;
  const made = await runCloud([
    "replica",
    "keys",
    "--to",
    join(base, "link"),
    "--host",
    "127.0.0.1",
  ]);
  assert.is(made.code, 0, made.err);
  const tls = (side: string) => ["--tls", join(base, "link", side), "--json"];
  const listen = ["--data", files.dir, "--listen", "127.0.0.1:0", "--every-ms", "100"];
  const primary = startCloud(["replica", "serve", ...listen, ...tls("primary")]);
  const { port } = await readyLine(primary);
  const standby = startCloud([
    "replica",
    "follow",
    "--to",
    to,
    "--from",
    `127.0.0.1:${port}`,
    ...tls("standby"),
  ]);
  assert.is((await readyLine(standby))["ready"], true);
  // All at once, in the midst of writing: what the other side lacks then was committed within a minute before.
  const writer = startWriter(files);
  await until("it writes", () => writer.toldMs.length >= WRITES, 60_000);
  const killedMs = performance.now();
  for (const child of [writer.child, primary, standby]) child.kill("SIGKILL");
  for (const child of [writer.child, primary, standby])
    if (child.exitCode === null && child.signalCode === null) await once(child, "close");
  const there = await takenOver(world, "by-command");
  const { entries, problems } = there.store.verifyAudit();
  assert.equal(problems, []);
  const arrived = (await allEvents(there.store)).length / EVENTS_A_WRITE;
  const lost = writer.toldMs.length - arrived;
  const lostMs = lost > 0 ? killedMs - (writer.toldMs[arrived] ?? 0) : 0;
  process.stdout.write(
    `${lost} of ${writer.toldMs.length} commits lost, ${lostMs.toFixed(0)} ms\n`,
  );
  assert.ok(arrived > 0 && entries > 0, "some of it was there");
  assert.ok(lostMs < 60_000, `at most a minute is lost, not ${lostMs} ms`);
  await there.store.audit(AUDIT);
  await there.registry.close();
});

test.run();
