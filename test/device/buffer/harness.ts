/** A buffer in a directory of its own, with the small cloud that can open what it sends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Buffer, type BufferOptions, openBuffer } from "@kerbside/buffer";
import { cryptoReady, type NewEvent, randomBytes } from "@kerbside/protocol";
import type { Test } from "uvu";
import { ADDRESS, type CarCloud, carCloud } from "../../support/car-cloud.ts";
import { type ManualClock, manualClock, realRandom, silentLog } from "../../support/runtime.ts";

export type Bench = {
  readonly dir: string;
  readonly cloud: CarCloud;
  readonly clock: ManualClock;
  readonly open: (options?: Partial<BufferOptions>) => Promise<Buffer>;
  readonly remove: () => void;
};

export async function bench(): Promise<Bench> {
  await cryptoReady();
  const dir = mkdtempSync(join(tmpdir(), "kerbside-buffer-"));
  const cloud = carCloud(randomBytes(32));
  const clock = manualClock();
  return {
    dir,
    cloud,
    clock,
    open: (options = {}) =>
      openBuffer({
        dir,
        address: ADDRESS,
        signingKey: cloud.signingKey,
        ingestKey: cloud.ingestKey,
        agentVersion: "test",
        clock,
        random: realRandom,
        log: silentLog,
        ...options,
      }),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** A bench for each test, and its buffer, online; `now` says which buffer is open when the test ends. */
export function onlineEach(
  { before, after }: Pick<Test, "before" | "after">,
  take: (bench: Bench, buffer: Buffer) => void,
  now: () => { readonly b: Bench; readonly buffer: Buffer },
): void {
  before.each(async () => {
    const made = await bench();
    const buffer = await made.open();
    buffer.online(true);
    take(made, buffer);
  });
  after.each(async () => {
    const { b, buffer } = now();
    await buffer.close();
    b.remove();
  });
}

export function note(text: string, number?: number): NewEvent {
  return {
    kind: "diagnostic.note",
    data: { note: text, ...(number === undefined ? {} : { number }) },
  };
}

/** Takes everything the buffer offers to the cloud; with `acknowledge`, until nothing is left. Returns how many. */
export function drain(buffer: Buffer, cloud: CarCloud, acknowledge = true): number {
  const skip = new Set<number>();
  let taken = 0;
  for (;;) {
    const segment = buffer.next({ skip, newestStateFirst: false });
    if (segment === undefined) break;
    skip.add(segment.key);
    cloud.take(segment.message);
    taken += 1;
  }
  if (acknowledge) for (const log of cloud.logs()) buffer.acknowledge(cloud.ackOf(log));
  return taken;
}
