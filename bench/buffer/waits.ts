/**
 * How long an append waits, by the real clock, while big segments close one after the other: far more events than a
 * car makes. The slowest of each second counts.
 */
import type { Buffer } from "@kerbside/buffer";
import type { Lane, NewEvent } from "@kerbside/protocol";
import type { Row } from "../benchmark.ts";
import { drive } from "../drive.ts";

const SECONDS = 5;
/** Events of `track` each beat: a segment of 1024 closes about five times a second. */
const BEAT_MS = 10;
const EVENTS_A_BEAT = 50;
const NOTE: NewEvent = { kind: "diagnostic.note", data: { note: "waits" } };

/** The slowest append on `lane` in a second, in milliseconds. */
async function second(
  buffer: Buffer,
  events: ReturnType<typeof drive>,
  lane: Exclude<Lane, "track">,
): Promise<number> {
  let slowestMs = 0;
  const under: Promise<unknown>[] = [];
  const timed = async (): Promise<void> => {
    const asked = performance.now();
    await buffer.append(NOTE, lane);
    slowestMs = Math.max(slowestMs, performance.now() - asked);
  };
  const until = performance.now() + 1000;
  while (performance.now() < until) {
    for (let i = 0; i < EVENTS_A_BEAT; i += 1) under.push(buffer.append(events.next().value));
    under.push(timed());
    await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
  }
  await Promise.all(under);
  return slowestMs;
}

/** A lane at a time: what is committed at once takes along what waits. */
export async function waitRow(
  buffer: Buffer,
  lane: Exclude<Lane, "track">,
  atMost: number,
): Promise<Row> {
  const events = drive(2);
  await second(buffer, events, lane);
  const values: number[] = [];
  for (let i = 0; i < SECONDS; i += 1) values.push(await second(buffer, events, lane));
  return {
    what: `slowest append of a second on ${lane}, while segments of 1024 close`,
    unit: "ms",
    ours: { name: "buffer, encrypted", values },
    peer: null,
    goal: { of: "ours", atMost },
  };
}
