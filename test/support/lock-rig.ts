/** A car's lock on a bench: real journal, record, rental and executor, and facts that a test sets. */
import {
  type Answer,
  type CarFacts,
  type CarRecord,
  END_UNKNOWN,
  Executor,
  type Journal,
  type LockPort,
  openCarRecord,
  openJournal,
  RentalDesk,
  type RentalEffect,
} from "@kerbside/immobiliser";
import {
  ACTION_DOMAIN,
  type Action,
  type Clock,
  type Command,
  DEFAULT_RENTAL_POLICY,
  LOCK_ACTIONS,
  type LockSensed,
  type RentalPolicy,
  randomBytes,
  sha256,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { silentLog } from "./runtime.ts";

export const PARKED: CarFacts = {
  abilities: new Set(LOCK_ACTIONS),
  limits: { standstillMs: 2000, standstillKmhMax: 0.5 },
  speedKmh: { quality: "good", value: 0 },
  gnssSpeedKmh: { quality: "unknown" },
  ignitionOff: { quality: "good", value: true },
  standstillMs: 60_000,
  ignitionOffSeenAfterStandstill: true,
  doorsClosed: { quality: "good", value: true },
  openRental: { quality: "good", value: undefined },
  armed: undefined,
  storageWorks: true,
  end: END_UNKNOWN,
};
export const DRIVING: CarFacts = {
  ...PARKED,
  speedKmh: { quality: "good", value: 40 },
  ignitionOff: { quality: "good", value: false },
  standstillMs: 0,
  ignitionOffSeenAfterStandstill: false,
};

export const LOCKED: LockSensed = {
  boltDriver: "locked",
  boltPassengers: "locked",
  boltTrunk: "locked",
  doorFrontLeft: "closed",
  doorFrontRight: "closed",
  doorRearLeft: "closed",
  doorRearRight: "closed",
  trunk: "closed",
  immobiliser: "free",
  supplyMv: 12_400,
  tamper: "intact",
};
export const UNLOCKED: LockSensed = {
  ...LOCKED,
  boltDriver: "unlocked",
  boltPassengers: "unlocked",
};

let counter = 0;
/** A command with a counter above all before it. */
export function commandOf(action: Action, change: Partial<Command> = {}): Command {
  counter += 1;
  return {
    id: randomBytes(16),
    tenant: tenantId("t"),
    vehicle: vehicleId("v"),
    domain: ACTION_DOMAIN[action],
    action,
    epoch: new Uint8Array(16),
    counter,
    expiresAtMs: 10_000,
    ...change,
  };
}
export const hashOf = ({ id }: Pick<Command, "id">): Uint8Array => sha256(id);

export type LockRig = {
  readonly executor: Executor;
  readonly journal: Journal;
  readonly record: CarRecord;
  readonly desk: RentalDesk;
  /** Of commands that were answered `armed`. */
  readonly late: Answer[];
  readonly rentals: RentalEffect[];
  facts: CarFacts;
  policy: RentalPolicy;
  sessionMs: number;
  /** Of the session; commands of `commandOf` are of the one that it begins with. */
  epoch: Uint8Array;
  readonly ask: (command: Command) => Promise<Answer>;
  readonly stop: () => Promise<void>;
};

/** Opens everything in `dir`, as a start of the agent does. The driver is the caller's; `watched` may look on. */
export async function lockRig(
  dir: string,
  driver: LockPort,
  clock: Clock,
  watched: (journal: Journal) => Journal = (journal) => journal,
): Promise<LockRig> {
  const journal = watched(await openJournal(`${dir}/journal`));
  const record = await openCarRecord(`${dir}/car`);
  const late: Answer[] = [];
  const rentals: RentalEffect[] = [];
  const desk = new RentalDesk({
    record,
    policy: () => rig.policy,
    clock,
    ignitionOn: () => {
      const { ignitionOff } = rig.facts;
      return ignitionOff.quality === "good" && !ignitionOff.value;
    },
    onChange: (effect) => {
      rentals.push(effect);
      if (effect.type === "started") void executor.disarm("rental_opened");
    },
  });
  const executor = new Executor({
    journal,
    driver,
    rental: desk,
    facts: () => ({
      ...rig.facts,
      openRental: desk.openRental(),
      storageWorks: rig.facts.storageWorks && journal.works() && record.works(),
    }),
    policy: () => rig.policy,
    session: { epoch: () => rig.epoch, sessionMs: () => rig.sessionMs },
    clock,
    log: silentLog,
    onLate: (answer) => late.push(answer),
  });
  const rig: LockRig = {
    executor,
    journal,
    record,
    desk,
    late,
    rentals,
    facts: PARKED,
    policy: DEFAULT_RENTAL_POLICY,
    sessionMs: 0,
    epoch: new Uint8Array(16),
    ask: (command) => executor.execute(command, hashOf(command)),
    stop: async () => {
      desk.stop();
      await journal.close();
      await record.close();
    },
  };
  return rig;
}

/** A lock that does what it is told at once, and counts. */
export class InstantLock implements LockPort {
  readonly pulses: string[] = [];
  sensed: LockSensed = LOCKED;
  reachable = true;

  report(): LockSensed | undefined {
    return this.reachable ? this.sensed : undefined;
  }

  actuate(action: Parameters<LockPort["actuate"]>[0]): ReturnType<LockPort["actuate"]> {
    if (!this.reachable) return Promise.resolve({ outcome: "not_sent" });
    this.pulses.push(action);
    const { immobiliser } = this.sensed;
    if (action === "lock") this.sensed = { ...LOCKED, immobiliser };
    if (action === "unlock") this.sensed = { ...UNLOCKED, immobiliser };
    if (action === "trunk") this.sensed = { ...this.sensed, boltTrunk: "unlocked" };
    if (action === "inhibit_start") this.sensed = { ...this.sensed, immobiliser: "inhibited" };
    if (action === "allow_start") this.sensed = { ...this.sensed, immobiliser: "free" };
    return Promise.resolve({ outcome: "done", sensed: this.sensed });
  }
}
