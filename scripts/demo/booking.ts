/** One booking: made, unlocked, driven, locked, ended; then held against what the tenant's store says of it. */
import { setTimeout as delay } from "node:timers/promises";
import { isJson, told } from "./api.ts";
import { type Gap, type StoredEvent, storedSince } from "./events.ts";
import { type Sim, VEHICLE } from "./parts.ts";
import { step } from "./print.ts";
import { DemoError } from "./processes.ts";
import type { Watch } from "./watch.ts";

/** Of the drive itself, between starting and stopping. */
const DRIVE_S = 12;
const BOOKING_MS = 30 * 60_000;
const COMMAND_WAIT_MS = 20_000;
/** All lanes are in the store by then, the slowest window included. */
const SETTLE_MS_MAX = 20_000;
const SETTLE_POLL_MS = 250;

type Expectation = { readonly what: string; readonly seen: (event: StoredEvent) => boolean };
const is =
  (kind: string, key?: string, value?: unknown) =>
  (event: StoredEvent): boolean =>
    event.kind === kind && (key === undefined || event.data[key] === value);
const did =
  (action: string) =>
  (event: StoredEvent): boolean =>
    is("command.completed", "action", action)(event) && event.data["status"] === "executed";

/** What the store must hold of the booking, in any order of arrival. */
const EXPECTED: readonly Expectation[] = [
  { what: "unlock executed", seen: did("unlock") },
  { what: "seen unlocked", seen: is("lock.changed", "locked", false) },
  { what: "driver's door opened", seen: is("door.changed", "open", true) },
  { what: "driver's door closed", seen: is("door.changed", "open", false) },
  { what: "ignition on", seen: is("ignition.changed", "state", "ON") },
  { what: "trip began", seen: is("trip.started") },
  { what: "positions on the way", seen: is("position.sampled") },
  { what: "trip ended", seen: is("trip.ended") },
  { what: "ignition off", seen: is("ignition.changed", "state", "OFF") },
  { what: "lock executed", seen: did("lock") },
  { what: "seen locked", seen: is("lock.changed", "locked", true) },
];

/** Runs the booking and says whether every step of it was seen in the store. */
export async function bookAndDrive(sim: Sim, watch: Watch): Promise<boolean> {
  const startedMs = Date.now();
  const { backend } = watch;
  const body = {
    vehicle: VEHICLE,
    holder: "demo-driver",
    from: new Date(startedMs - 60_000).toISOString(),
    to: new Date(startedMs + BOOKING_MS).toISOString(),
  };
  const { booking } = await told(backend.client.call("createBooking", { body }));
  step("booking", `${booking} for ${VEHICLE}, from now for half an hour`);
  if (await isUnlocked(watch)) {
    step("car", "was left unlocked: it is locked first, so that the unlock can be seen");
    await command(watch, "lock", booking);
  }
  await command(watch, "unlock", booking);
  const drive = await watch.during(
    sim.call("/api/script", {
      method: "POST",
      headers: { authorization: `Bearer ${sim.key}` },
      body: { driveSeconds: DRIVE_S },
    }),
  );
  if (drive.status !== 200)
    throw new DemoError(`the simulated drive failed with status ${drive.status}`);
  await command(watch, "lock", booking);
  // It takes no key, and may be sent twice all the same: the client would not.
  await backend.must(`/bookings/${booking}/end`, { method: "POST" });
  step("booking", `${booking} ended`);
  return await holds(watch, startedMs);
}

/** What the bolts were last seen to be. */
async function isUnlocked({ backend }: Watch): Promise<boolean> {
  const path = { vehicle: VEHICLE };
  const { items } = await told(backend.client.call("getLatest", { path }));
  const lock = items.find(({ kind }) => kind === "lock.changed");
  return isJson(lock?.data) && lock.data["locked"] === false;
}

async function command(watch: Watch, action: "lock" | "unlock", booking: string): Promise<void> {
  const asked = performance.now();
  const ask = {
    path: { vehicle: VEHICLE },
    query: { wait: COMMAND_WAIT_MS },
    body: { action, booking },
  };
  const { state, steps, result, error } = await told(
    watch.during(watch.backend.client.call("askCommand", ask)),
  );
  const took = Math.round(performance.now() - asked);
  if (state !== "executed") {
    const why = JSON.stringify(result?.unmet ?? error ?? result);
    throw new DemoError(`${action} was not executed: ${state} ${why}`);
  }
  step(action, `${steps.map((one) => one.state).join(" → ")} in ${took} ms`);
}

/** Waits until the store holds all that is expected, or it has had time enough. */
async function holds(watch: Watch, startedMs: number): Promise<boolean> {
  const deadline = Date.now() + SETTLE_MS_MAX;
  for (;;) {
    await watch.tellNews();
    const { events, gaps } = await storedSince(watch.backend, startedMs);
    const missing = EXPECTED.filter(({ seen }) => !events.some(seen)).map(({ what }) => what);
    const holes = missingNumbers(events, gaps);
    if (missing.length === 0 && holes.length === 0) {
      step(
        "store",
        `all ${EXPECTED.length} steps are there, ${events.length} events, none missing, none double`,
      );
      return true;
    }
    if (Date.now() > deadline) {
      for (const what of missing) step("store", `MISSING: ${what}`);
      for (const hole of holes) step("store", `MISSING: ${hole}`);
      return false;
    }
    await delay(SETTLE_POLL_MS);
  }
}

/** Holes and doubles in the numbers of each log and lane that the events span, declared gaps aside. */
function missingNumbers(events: readonly StoredEvent[], gaps: readonly Gap[]): readonly string[] {
  const lanes = new Map<string, number[]>();
  for (const { log, lane, seq } of events) {
    const key = `${log} ${lane}`;
    lanes.set(key, [...(lanes.get(key) ?? []), seq]);
  }
  return [...lanes].flatMap(([key, numbers]) => {
    const declared = gaps.filter(({ log, lane }) => `${log} ${lane}` === key);
    const sorted = numbers.toSorted((a, b) => a - b);
    return sorted.flatMap((seq, i) => {
      const before = sorted[i - 1];
      if (before === undefined || seq === before + 1) return [];
      if (seq === before) return [`${key} ${seq} is there twice`];
      const isDeclared = declared.some(({ gap }) => gap[0] <= before + 1 && gap[1] >= seq - 1);
      return isDeclared ? [] : [`${key} lacks ${before + 1} to ${seq - 1}`];
    });
  });
}
