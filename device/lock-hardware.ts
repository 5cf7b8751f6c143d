/** The lock behind one interface, whichever hardware the configuration names, and its faults as events. */
import { readFileSync } from "node:fs";
import type { CompiledProfile } from "@kerbside/can";
import {
  CanLockDriver,
  CanLockGate,
  type CanLocking,
  LOCK_FAULTS,
  LOCK_FAULTS_NONE,
  LockDriver,
  type LockPort,
  type LockSeen,
  nextLockFaults,
  serialLink,
} from "@kerbside/immobiliser";
import {
  type Action,
  type Clock,
  fromHex,
  KEY_BYTES,
  LOCK_ACTIONS,
  type LockAction,
  type Log,
  type NewEvent,
  type Random,
  sha256,
  utf8,
} from "@kerbside/protocol";
import type { Car } from "./car.ts";
import { sensedBySignals } from "./car-facts.ts";
import { type AgentConfig, ConfigError } from "./config.ts";
import type { Wires } from "./wires.ts";

const MODULE_ID_BYTES = 8;

/** Reads the pairing key: 64 hexadecimal digits. Throws ConfigError. */
export function readPairingKey(file: string): Uint8Array {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch {
    throw new ConfigError(`${file}: expected a readable file with the pairing key`);
  }
  if (!new RegExp(`^[0-9a-f]{${2 * KEY_BYTES}}$`, "i").test(text)) {
    throw new ConfigError(`${file}: expected a pairing key of ${2 * KEY_BYTES} hexadecimal digits`);
  }
  return fromHex(text);
}

/** The id by which the module names itself to the controller: nothing personal, the same for the car's life. */
export function moduleIdOf({ tenant, vehicle }: AgentConfig): Uint8Array {
  return sha256(utf8(`${tenant}/${vehicle}`)).slice(0, MODULE_ID_BYTES);
}

/** Turns what is seen of the lock into fault events. */
export function lockFaultEvents(emit: (event: NewEvent) => void): (seen: LockSeen) => void {
  let faults = LOCK_FAULTS_NONE;
  let wasUp = false;
  return (seen) => {
    // A line that was not reached yet is no fault: car and agent start together, and a refusal says so anyway.
    if (seen.type === "link") {
      if (seen.state === "silent" && !wasUp) return;
      wasUp ||= seen.state === "up";
    }
    const step = nextLockFaults(faults, seen);
    faults = step.faults;
    for (const effect of step.effects) {
      if (effect.type === "tamper") {
        emit({ kind: "tamper.changed", data: { open: effect.open } });
      } else if (effect.type === "raised") {
        const { fault } = effect;
        emit({ kind: "fault.raised", data: { code: fault, detail: LOCK_FAULTS[fault] } });
      } else emit({ kind: "fault.cleared", data: { code: effect.fault } });
    }
  };
}

/** The profile's rule, with bytes for its words. Throws ConfigError where the profile has none. */
export function canLockingOf({ profile }: Car["profile"]): CanLocking {
  const { locking, name } = profile;
  if (locking === undefined)
    throw new ConfigError(`profile ${name}: says nothing of locking by CAN`);
  const actions: CanLocking["actions"] = Object.fromEntries(
    LOCK_ACTIONS.flatMap((action) => {
      const row = locking.actions[action];
      if (row === undefined) return [];
      const { ext = false, data, ...frame } = row;
      return [[action, { ...frame, ext, data: fromHex(data) }]];
    }),
  );
  const rule = { actions, sensedWithinMs: locking.sensedWithinMs };
  try {
    new CanLockGate(rule);
  } catch (error) {
    throw new ConfigError(`profile ${name}: ${error instanceof Error ? error.message : error}`);
  }
  return rule;
}

/** What lock and reader need of the configuration. Throws ConfigError; to be asked before anything begins. */
export function checkHardware({ lock, reader }: AgentConfig, profile: CompiledProfile): void {
  if (lock.driver === "can") canLockingOf(profile);
  else readPairingKey(lock.pairingKeyFile);
  if (reader !== undefined) readPairingKey(reader.pairingKeyFile);
}

/** What of the lock each action needs, where a profile says that the car can do it. */
const ABILITIES: Readonly<Partial<Record<Action, readonly LockAction[]>>> = {
  lock: ["lock"],
  unlock: ["unlock"],
  trunk: ["trunk"],
  find: ["horn_lights"],
  immobilise: ["inhibit_start"],
  release: ["allow_start"],
  unlock_and_release: ["unlock", "allow_start"],
  lock_and_immobilise: ["lock", "inhibit_start"],
};

/** What the lock of a car can be asked to do: what its model can, and by CAN only what there is a frame for. */
export function abilitiesOf(
  { profile }: CompiledProfile,
  driver: AgentConfig["lock"]["driver"],
): ReadonlySet<LockAction> {
  const all = new Set(profile.capabilities.actions.flatMap((action) => ABILITIES[action] ?? []));
  const { locking } = profile;
  return driver === "can"
    ? new Set([...all].filter((action) => locking?.actions[action] !== undefined))
    : all;
}

export type LockHardwareOptions = {
  readonly config: AgentConfig;
  readonly car: Car;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onSeen: (seen: LockSeen) => void;
  readonly wires?: Wires;
};

/** The lock, and what the module's sleep means to it. */
export type LockHardware = LockPort & {
  readonly stop: () => void;
  /** The module goes to sleep. */
  readonly rest: () => void;
  /** It has been asleep. */
  readonly wake: () => void;
  /** Resolves once the lock can be asked again after a wake, or is given up on. */
  readonly awake: () => Promise<void>;
};
/** A body computer sleeps and wakes by itself. */
const BY_ITSELF = { rest: () => undefined, wake: () => undefined, awake: async () => undefined };

/** Begins to look for the lock. Throws ConfigError before anything begins. */
export function startLockHardware(options: LockHardwareOptions): LockHardware {
  const { config, car, clock, random, log, onSeen } = options;
  if (config.lock.driver === "can") {
    const byCan = new CanLockDriver({
      locking: canLockingOf(car.profile),
      send: (frame) => car.send(frame),
      sensed: (heardSinceMs) => sensedBySignals(car.store, heardSinceMs),
      clock,
      log,
    });
    return {
      actuate: (action) => byCan.actuate(action),
      report: () => byCan.report(),
      stop: () => byCan.stop(),
      ...BY_ITSELF,
    };
  }
  const driver = new LockDriver({
    link: (options.wires?.line ?? serialLink)(config.lock.path, config.lock.baudRate),
    pairingKey: readPairingKey(config.lock.pairingKeyFile),
    moduleId: moduleIdOf(config),
    clock,
    random,
    log,
    onSeen,
  });
  driver.start();
  return driver;
}
