/** What a running agent tells of itself at the car: the text, who may ask, and the command that does. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AgentStatus,
  agentMetrics,
  metricValues,
  readMetrics,
  serveMetrics,
} from "@kerbside/device";
import { ProtocolError } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../house/sources.ts";
import { silentLog } from "../support/runtime.ts";

const STATUS: AgentStatus = {
  buffer: {
    ...{ state: "working", bytes: 1200, bytesMax: 64_000_000, lost: 3 },
    segments: { critical: 0, state: 2, track: 40 },
    heldSinceMs: 1_790_000_000_000,
  },
  uplink: {
    ...{ state: "waiting", connections: 5, segmentsSent: 90, segmentsAcknowledged: 48 },
    ...{ bytesSent: 81_000, acksIgnored: 1, underWay: 0, retries: 7 },
    spent: { critical: 10, state: 20, track: 30 },
    reason: "mqtt: refused",
  },
  nowMs: 1_790_000_090_400,
};

const test = suite<{ dir: string }>("metrics");
test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), "kerbside-metrics-"));
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true }));

test("depth, age, gaps, retries and bytes, and no word that could name anybody", () => {
  const text = agentMetrics(STATUS);
  const values = metricValues(text);
  for (const [name, value] of [
    ['buffer_segments{lane="track"}', 40],
    ["buffer_age_seconds", 90],
    ["buffer_lost_total", 3],
    ["buffer_working", 1],
    ["uplink_online", 0],
    ["uplink_retries_total", 7],
    ["uplink_bytes_sent_total", 81_000],
    ['uplink_budget_spent_bytes{lane="state"}', 20],
  ] as const)
    assert.is(values[`kerbside_agent_${name}`], value, name);
  assert.ok(Object.values(values).every(Number.isFinite));
  assert.not.match(text, "refused:");
  const { heldSinceMs: _, ...buffer } = STATUS.buffer;
  assert.not.match(agentMetrics({ ...STATUS, buffer }), "buffer_age", "an age that is not known");
});

test("P-01 the agent's own user is answered over a socket that no other may open", async ({
  dir,
}) => {
  let asked = 0;
  const read = (): AgentStatus => {
    asked += 1;
    return STATUS;
  };
  writeFileSync(join(dir, "metrics.sock"), "left by one that was killed");
  const stop = serveMetrics(dir, read, silentLog);
  try {
    assert.is(await readMetrics(dir), agentMetrics(STATUS));
    assert.is(await readMetrics(dir), agentMetrics(STATUS));
    assert.is(asked, 2);
    assert.is(statSync(join(dir, "metrics.sock")).mode & 0o777, 0o600);
  } finally {
    stop();
  }
  await readMetrics(dir).then(
    () => assert.unreachable("expected nobody to answer"),
    (error: unknown) => assert.ok(error instanceof ProtocolError && error.code === "unavailable"),
  );
});

test("an agent whose socket cannot be made goes on, and says so", async ({ dir }) => {
  const told = Promise.withResolvers<string>();
  const log = { ...silentLog, warn: (event: string) => told.resolve(event) };
  const stop = serveMetrics(join(dir, "x".repeat(200)), () => STATUS, log);
  assert.is(await told.promise, "metrics.not_served");
  stop();
});

test("one that cannot make room for its socket goes on, and says so", ({ dir }) => {
  mkdirSync(join(dir, "metrics.sock"));
  const told: string[] = [];
  const log = { ...silentLog, warn: (event: string) => void told.push(event) };
  serveMetrics(dir, () => STATUS, log)();
  assert.equal(told, ["metrics.not_served"]);
});

test("a disk that fails as somebody asks ends that answer and nothing else", async ({ dir }) => {
  let fails = true;
  const told: string[] = [];
  const log = { ...silentLog, warn: (event: string) => void told.push(event) };
  const read = (): AgentStatus => {
    if (fails) throw Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR" });
    return STATUS;
  };
  const stop = serveMetrics(dir, read, log);
  try {
    await readMetrics(dir).then(
      () => assert.unreachable("expected no answer"),
      (error: unknown) => assert.ok(error instanceof ProtocolError && error.code === "unavailable"),
    );
    assert.equal(told, ["metrics.not_served"]);
    fails = false;
    assert.is(await readMetrics(dir), agentMetrics(STATUS));
  } finally {
    stop();
  }
});

test("who has the answer and does not hang up keeps no agent from ending", async ({ dir }) => {
  const stop = serveMetrics(dir, () => STATUS, silentLog);
  const socket = connect({ path: join(dir, "metrics.sock"), allowHalfOpen: true });
  const failed = Promise.withResolvers<string>();
  socket.on("error", (error: NodeJS.ErrnoException) => failed.resolve(error.code ?? ""));
  const text: string[] = [];
  socket.on("data", (part) => void text.push(String(part)));
  socket.on("end", () => setTimeout(() => socket.write("still here"), 50));
  assert.is(await failed.promise, "EPIPE");
  assert.is(text.join(""), agentMetrics(STATUS));
  stop();
});

test("kerbside-agent metrics says that no agent runs", ({ dir }) => {
  const enrolment = { url: "https://localhost:1", caFile: "ca.pem", tokenFile: "token" };
  const bus = { driver: "socket", path: "can.sock" };
  const address = { tenant: "demo", vehicle: "car-1" };
  const config = { ...address, dataDir: "state", profile: "kerbside-sim", enrolment, bus };
  mkdirSync(join(dir, "state"));
  writeFileSync(join(dir, "c.json"), JSON.stringify({ ...config, lock: { driver: "can" } }));
  const words = ["device/bin/kerbside-agent.mjs", "metrics", "--config", join(dir, "c.json")];
  const { status, stderr } = spawnSync(process.execPath, words, { cwd: root, encoding: "utf8" });
  assert.is(status, 1, stderr);
  assert.match(stderr, /state: no agent runs on it/);
});

test.run();
