/**
 * Access without coverage in the agent: trusted time, the grant list, the reader, and the desk that serves it, over
 * the files they keep. Where no reader is configured the list and the time are kept all the same.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  AccessDesk,
  type AccessFacts,
  type AccessOutcome,
  type AccessRecord,
  GrantStore,
  type GrantsApplied,
  openAccessRecord,
  ReaderDriver,
} from "@kerbside/access";
import type { GnssTime } from "@kerbside/can";
import { openTwoCopyFile, serialLink } from "@kerbside/immobiliser";
import type { Channel, Clock, EventTime, Log, NewEvent, Push, Random } from "@kerbside/protocol";
import {
  type CertificateLife,
  type CertificateVerdict,
  judgeCertificate,
  type TimeReading,
  TrustedTime,
} from "@kerbside/time";
import type { Identity } from "@kerbside/uplink";
import type { AgentConfig } from "./config.ts";
import { moduleIdOf, readPairingKey } from "./lock-hardware.ts";
import type { Locks } from "./locks.ts";
import { watchNtp } from "./ntp-watch.ts";
import type { Wires } from "./wires.ts";

/** What a push may carry: lists of up to 400 grants. */
export const GRANT_FILE_BYTES_MAX: number = 256 * 1024;
/** A wall clock that nothing vouches for may be a battery's age off. */
const UNKNOWN_DOUBT_MS: number = 10 * 365 * 86_400_000;
/** A clock that nothing corrects is this far off after 16 hours: then the cloud is asked again. */
const TIME_DOUBT_MS_MAX = 30_000;
const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";

export type EntryOptions = {
  readonly config: AgentConfig;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly wires?: Wires;
};

export function accessFiles(dataDir: string): {
  readonly grants: string;
  readonly record: string;
  readonly time: string;
} {
  const at = (name: string): string => join(dataDir, "access", name);
  return { grants: at("grants"), record: at("record"), time: at("time") };
}

/** Names this boot; where the platform has no name for it, no two starts are of one boot. */
function bootIdOf(random: Random): string {
  try {
    return readFileSync(BOOT_ID_FILE, "utf8").trim();
  } catch {
    return Buffer.from(random.bytes(16)).toString("hex");
  }
}

type Started = {
  readonly emit: (event: NewEvent) => void;
  readonly changed: () => void;
  readonly stopNtp: () => void;
  readonly desk?: AccessDesk;
  readonly reader?: ReaderDriver;
};

export class Entry {
  readonly #options: EntryOptions;
  readonly #time: TrustedTime;
  readonly #grants: GrantStore;
  readonly #record: AccessRecord;
  readonly #close: () => Promise<void>;
  #started: Started | undefined;

  private constructor(
    options: EntryOptions,
    time: TrustedTime,
    grants: GrantStore,
    record: AccessRecord,
    close: () => Promise<void>,
  ) {
    this.#options = options;
    this.#time = time;
    this.#grants = grants;
    this.#record = record;
    this.#close = close;
  }

  /** Opens the files. Throws what the file system throws, and ConfigError for the reader's key. */
  static async open(options: EntryOptions): Promise<Entry> {
    const { config, identity, clock, random, log } = options;
    const paths = accessFiles(config.dataDir);
    const timeFile = await openTwoCopyFile(paths.time);
    const grantFile = await openTwoCopyFile(paths.grants, GRANT_FILE_BYTES_MAX);
    const recordFile = await openTwoCopyFile(paths.record);
    const { address, seed } = identity;
    const time = new TrustedTime({
      address,
      timeKey: () => identity.keys.key("time"),
      file: timeFile,
      bootId: options.wires?.bootId ?? bootIdOf(random),
      clock,
      log,
      onChange: (reading, source) => entry.#timeChanged(reading, source),
    });
    const grants = new GrantStore({
      address,
      seed,
      grantKey: () => identity.keys.key("grant"),
      file: grantFile,
      log,
    });
    const entry: Entry = new Entry(
      options,
      time,
      grants,
      openAccessRecord(recordFile),
      async () => {
        for (const file of [timeFile, grantFile, recordFile]) await file.close();
      },
    );
    return entry;
  }

  /** For the buffer: where nothing is known the wall clock as it is, in a doubt that says so. */
  eventTime(): EventTime {
    const { clock } = this.#options;
    const bootMs = clock.bootMs();
    const reading = this.#time.read();
    if (reading.value === "known")
      return { bootMs, wallOffsetMs: reading.wallMs - bootMs, doubtMs: reading.doubtMs };
    const wallMs = Math.max(clock.wallMs(), reading.floorMs);
    return { bootMs, wallOffsetMs: wallMs - bootMs, doubtMs: UNKNOWN_DOUBT_MS };
  }

  /** The latest that it may be now, as far as the car can tell: no earlier than what it is certainly after. Unix time. */
  latestMs(): number {
    const reading = this.#time.read();
    return reading.value === "known" ? reading.wallMs + reading.doubtMs : reading.floorMs;
  }

  /** The earliest that it may be now. Unix time. */
  earliestMs(): number {
    const reading = this.#time.read();
    return reading.value === "known" ? reading.wallMs - reading.doubtMs : reading.floorMs;
  }

  /** Whether the cloud is to be asked for the time again. */
  wantsTime(): boolean {
    const reading = this.#time.read();
    return reading.value === "unknown" || reading.doubtMs > TIME_DOUBT_MS_MAX;
  }

  /** Whether a server's certificate is in force, by the time that the car trusts. */
  readonly judge = (life: CertificateLife): CertificateVerdict =>
    judgeCertificate(life, this.#time.read());

  /** When the next booking begins that the car knows of, on the boot clock, but for the one whose rental is open. */
  nextBookingMs(open: string | undefined): number | undefined {
    const reading = this.#time.read();
    if (reading.value === "unknown") return undefined;
    const toBootMs = this.#options.clock.bootMs() - reading.wallMs;
    const waiting = (this.#grants.list()?.grants ?? []).filter(
      ({ toMs, booking }) => toMs > reading.wallMs && booking !== open,
    );
    const first = Math.min(...waiting.map(({ fromMs }) => fromMs));
    return waiting.length === 0 ? undefined : first + toBootMs;
  }

  /** After a suspend that the line to the reader slept through. */
  resumed(): void {
    this.#started?.reader?.wake();
  }

  announces(): { readonly grantsVersion: number } {
    return { grantsVersion: this.#grants.confirmedVersion() };
  }

  /** Time from satellites: it counts only within what the cloud has signed. */
  hintTime({ unixMs, bootMs, doubtMs }: GnssTime): void {
    this.#time.hint("gnss", unixMs + this.#options.clock.bootMs() - bootMs, doubtMs);
  }

  /** Follows the network's time where the platform keeps it: a hint as that of satellites is. */
  #watchNtp(): () => void {
    const { clock } = this.#options;
    const { ntpFile: file } = this.#options.config;
    if (file === undefined) return () => undefined;
    const hint = (wallMs: number, doubtMs: number): boolean => {
      if (this.#time.read().value === "unknown") return false;
      this.#time.hint("ntp", wallMs, doubtMs);
      return true;
    };
    return watchNtp({ file, clock, hint });
  }

  /** The nonce of an announcement, which the cloud's time must name. */
  announced(nonce: Uint8Array, epoch: Uint8Array): void {
    this.#time.announced(nonce, epoch);
  }

  /** Takes what concerns it of the channels to the car. */
  takeTime(channel: Channel, payload: Uint8Array): void {
    if (channel === "time") this.#time.take(payload);
  }

  takePush(push: Push): void {
    if (push.kind !== "grants") return;
    void this.#grants.apply(push.sealed).then((applied) => this.#applied(applied));
  }

  /** A rental has ended or begun: nobody is in another one. */
  rentalChanged(): void {
    void this.#started?.desk?.rentalChanged();
  }

  /** Begins to serve the reader, where one is configured. `changed`: something that announcements say has. */
  start(
    locks: Locks,
    emit: (event: NewEvent) => void,
    changed: () => void,
    activity: () => void,
  ): void {
    for (const [damaged, code] of [
      [this.#grants.damaged, "access.grants_damaged"],
      [this.#record.damaged, "access.record_damaged"],
    ] as const) {
      if (damaged) emit({ kind: "fault.raised", data: { code } });
    }
    const { config, identity, clock, random, log } = this.#options;
    const stopNtp = this.#watchNtp();
    if (config.reader === undefined) {
      this.#started = { emit, changed, stopNtp };
      return;
    }
    const { path, baudRate, pairingKeyFile } = config.reader;
    let isFault = false;
    let wasUp = false;
    let there: number | undefined;
    const reader = new ReaderDriver({
      line: (this.#options.wires?.line ?? serialLink)(path, baudRate),
      pairingKey: readPairingKey(pairingKeyFile),
      moduleId: moduleIdOf(config),
      clock,
      random,
      log,
      events: {
        presented: (presentation) => {
          activity();
          there = presentation.id;
          // What a crash cut off may be a rental: who is in it is known only after that.
          void locks.interrupted.then(() => {
            if (there === presentation.id) desk.present(presentation);
          });
        },
        gone: (presentation) => {
          if (there === presentation) there = undefined;
          desk.gone(presentation);
        },
        link: (state) => {
          wasUp ||= state === "up";
          // A line that was not reached yet is no fault: car and agent start together.
          if (!wasUp || isFault === (state !== "up")) return;
          isFault = state !== "up";
          const kind = isFault ? "fault.raised" : "fault.cleared";
          emit({ kind, data: { code: `reader.${isFault ? state : "silent"}` } });
        },
        tamper: (open) => emit({ kind: "tamper.changed", data: { open } }),
      },
    });
    const desk = new AccessDesk({
      address: identity.address,
      reader,
      grants: this.#grants,
      record: this.#record,
      grantKey: () => identity.keys.key("grant"),
      time: () => this.#time.read(),
      rental: () => rentalFact(locks),
      bolts: locks.bolts,
      perform: (order) => perform(locks, order),
      emit,
      clock,
      random,
      log,
    });
    this.#started = { emit, changed, stopNtp, desk, reader };
    void locks.interrupted.then(() => desk.rentalChanged());
    reader.start();
  }

  async close(): Promise<void> {
    const started = this.#started;
    started?.stopNtp();
    started?.reader?.stop();
    await started?.desk?.settled();
    await this.#close();
  }

  #applied(applied: GrantsApplied): void {
    const started = this.#started;
    if (started === undefined || applied.kind === "unchanged") return;
    if (applied.kind === "refused") {
      const code = `grants.${applied.reason}`;
      const detail = `version ${this.#grants.version()} stays in force`;
      started.emit({ kind: "fault.raised", data: { code, detail } });
      return;
    }
    const { version, durable } = applied;
    const count = this.#grants.list()?.grants.length ?? 0;
    started.emit({ kind: "grants.applied", data: { version, grants: count, durable } });
    void started.desk?.listApplied();
    started.changed();
  }

  #timeChanged(reading: TimeReading, source: "cloud" | "gnss" | "ntp"): void {
    if (reading.value !== "known") return;
    const { wallMs, doubtMs } = reading;
    this.#started?.emit({ kind: "time.changed", data: { source, wallMs, doubtMs } });
  }
}

function rentalFact(locks: Locks): AccessFacts["rental"] {
  const rental = locks.rental.rental();
  return rental.value === "open" ? { value: "open", booking: rental.booking } : rental;
}

async function perform(locks: Locks, order: Parameters<Locks["allow"]>[0]): Promise<AccessOutcome> {
  const { verdict } = await locks.allow(order);
  const { status } = verdict;
  const unmet = verdict.unmet.map(({ condition }) => condition);
  return { status: status === "executed" || status === "refused" ? status : "unknown", unmet };
}
