/**
 * Commands asked of the system and of the floor in turns, so that the machine's moods fall on both. The signer lets a car
 * be asked ten times at once and once a second after that: so either in bursts, or after a second of silence each, in
 * which the other programs of a machine have taken the processor's caches.
 */
import { randomUUID } from "node:crypto";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Answer, Caller } from "./caller.ts";
import { pause, type System } from "./system.ts";

const WARM_UP = 8;
/** The signer's bucket of a car gets one a second. */
const REFILL_MS = 1050;
/** What is left of ten once the signer has taken some ahead is not counted on. */
const BURST = 8;
const BURSTS = 6;
const SINGLES = 30;
const FLUSHED: Uint8Array = new Uint8Array(8 * 1024);

export type Found = {
  readonly ours: number[];
  readonly floor: number[];
  /** Of each burst, from the signed command to the car's verified answer, and what a bare request and reply took. */
  readonly signed: number[];
  readonly bare: number[];
  /** What one flush of the same disk took in the same turns. */
  readonly flush: number[];
};
type Turn = { readonly ours: number; readonly floor: number; readonly signed: number };

async function timed(run: () => Promise<Answer>): Promise<{ ms: number; answer: Answer }> {
  const started = performance.now();
  const answer = await run();
  return { ms: performance.now() - started, answer };
}

async function turn(system: System, floor: Caller, action: string): Promise<Turn> {
  const body = JSON.stringify({ action });
  const headers = (): Readonly<Record<string, string>> => ({
    authorization: `Bearer ${system.token}`,
    "content-type": "application/json",
    "idempotency-key": randomUUID(),
  });
  const path = "/v1/tenants/demo/vehicles/car-1/commands?wait=10000";
  const ours = await timed(() =>
    system.caller.ask({ method: "POST", path, headers: headers(), body }),
  );
  if (ours.answer.body["state"] !== "executed") {
    throw new Error(`not executed: ${JSON.stringify(ours.answer.body)}`);
  }
  const bare = await timed(() =>
    floor.ask({ method: "POST", path: "/", headers: headers(), body }),
  );
  return { ours: ours.ms, floor: bare.ms, signed: signedToExecuted(ours.answer) };
}

/** From the signed command's record to the executed one's, by the store's clock of whole milliseconds: right on average. */
function signedToExecuted({ body }: Answer): number {
  const steps = Array.isArray(body["steps"]) ? body["steps"] : [];
  const at = (state: string): number =>
    Date.parse(steps.find((step: { state: string }) => step.state === state)?.at ?? "");
  return at("executed") - at("signed");
}

async function bareReply(floor: Caller): Promise<number> {
  const { body } = await floor.ask({ path: "/bare" });
  return Number(body["took"]);
}

/** A write of the size of a car's journal, on the disk when it returns. */
function flushOf(handle: number): number {
  const started = performance.now();
  writeSync(handle, FLUSHED, 0, FLUSHED.length, 0);
  return performance.now() - started;
}

const actionOf = (count: number): string => (count % 2 === 0 ? "unlock" : "lock");
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** One command right after another. */
export async function inBursts(
  system: System,
  floor: Caller,
  bursts: number = BURSTS,
): Promise<Found> {
  for (let i = 0; i < WARM_UP; i += 1) await turn(system, floor, actionOf(i));
  const found: Found = { ours: [], floor: [], signed: [], bare: [], flush: [] };
  const { O_CREAT, O_RDWR, O_DSYNC } = constants;
  const handle = openSync(join(system.paths.data, "flushed"), O_CREAT | O_RDWR | O_DSYNC, 0o600);
  flushOf(handle);
  for (let burst = 0; burst < bursts; burst += 1) {
    await pause(REFILL_MS * BURST);
    const turns: Turn[] = [];
    const bare: number[] = [];
    for (let i = 0; i < BURST; i += 1) {
      turns.push(await turn(system, floor, actionOf(i)));
      bare.push(await bareReply(floor));
      found.flush.push(flushOf(handle));
    }
    found.ours.push(...turns.map(({ ours }) => ours));
    found.floor.push(...turns.map(({ floor: took }) => took));
    found.signed.push(mean(turns.map(({ signed }) => signed)));
    found.bare.push(mean(bare));
  }
  closeSync(handle);
  return found;
}

/** Each after about a second in which nothing was asked of anybody. */
export async function afterSilence(
  system: System,
  floor: Caller,
): Promise<Pick<Found, "ours" | "floor">> {
  const found: Pick<Found, "ours" | "floor"> = { ours: [], floor: [] };
  for (let i = 0; i < SINGLES; i += 1) {
    await pause(REFILL_MS);
    const { ours, floor: took } = await turn(system, floor, actionOf(i));
    found.ours.push(ours);
    found.floor.push(took);
  }
  return found;
}
