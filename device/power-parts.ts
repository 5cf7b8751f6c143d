/**
 * 12 V care put together: the power machine, the transport that sleeps with it, the lock's line, the modem's wake line
 * and the platform. What was asleep wakes in a new epoch, with nothing armed and every line begun anew.
 */
import { serialLink } from "@kerbside/immobiliser";
import {
  type Clock,
  encodeGone,
  type Log,
  type NewEvent,
  type Transport,
  topicOf,
} from "@kerbside/protocol";
import type { CommandExecutor, Identity, Session, Uplink } from "@kerbside/uplink";
import type { Car } from "./car.ts";
import type { AgentConfig } from "./config.ts";
import type { Entry } from "./entry.ts";
import type { Locks } from "./locks.ts";
import { PowerCare, platformFile, powerLimits } from "./power-care.ts";
import { SleepingTransport } from "./sleeping-transport.ts";
import { WakeLine } from "./wake-line.ts";
import type { Wires } from "./wires.ts";

export type PowerOptions = {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** How long the processor has been suspended, in ms since any moment; left out, it never is. */
  readonly suspendedMs?: () => number;
  readonly wires?: Wires;
};
export type PowerParts = {
  readonly emit: (event: NewEvent) => void;
  readonly car: Car;
  readonly locks: Locks;
  readonly entry: Entry;
  readonly identity: Identity;
  readonly session: Session;
  readonly make: (keepAliveS: number) => Transport;
  /**
   * Asked for after a sleep. It begins only after files were read, and the module may have slept by then: undefined
   * until it does, and its first session begins after that sleep.
   */
  readonly uplink: () => Uplink | undefined;
};
export type StartedPower = {
  readonly power: PowerCare;
  readonly transport: Transport;
  readonly stop: () => void;
};

export function openBooking({ rental }: Locks): string | undefined {
  const now = rental.rental();
  return now.value === "open" ? now.booking : undefined;
}

export function startPower(options: PowerOptions, parts: PowerParts): StartedPower {
  const { config, clock, log, suspendedMs } = options;
  const { emit, car, locks, entry, identity, session, make, uplink } = parts;
  const tellPlatform = platformFile(config.power?.stateFile, clock, log);
  const power = new PowerCare({
    ...{ clock, emit, suspendedMs },
    limits: powerLimits(config.power, car.profile.profile.limits),
    nextBookingMs: () => entry.nextBookingMs(openBooking(locks)),
    onEnter: (entered) => {
      if (entered.row.lockLink === "off") locks.rest();
      // The processor may be suspended only once the cloud was told.
      void tellPlatform(entered, transport.enter(entered.row));
    },
    onResumed: () => {
      uplink()?.resumed();
      void locks.resumed();
    },
    onSuspended: () => entry.resumed(),
  });
  const transport = new SleepingTransport({
    row: power.row(),
    make,
    asleep: () => ({
      topic: topicOf(identity.address, "gone"),
      payload: encodeGone(session.epoch(), true),
    }),
  });
  power.take({ type: "rental", open: openBooking(locks) !== undefined });
  car.watch((seen) => {
    locks.seen(seen);
    power.seen(seen);
  });
  const wakeLine = startWakeLine(options, power);
  const stop = (): void => {
    power.stop();
    wakeLine?.stop();
  };
  return { power, transport, stop };
}

/** Listens to the modem, where one is configured. */
function startWakeLine(
  { config, clock, log, wires }: PowerOptions,
  power: PowerCare,
): WakeLine | undefined {
  const { modem } = config;
  if (modem === undefined) return undefined;
  const line = (wires?.line ?? serialLink)(modem.path, modem.baudRate);
  const onWake = (): void => power.take({ type: "wake", source: "modem" });
  const wakeLine = new WakeLine({ line, clock, log, onWake });
  wakeLine.start();
  return wakeLine;
}

/** Each command keeps the module awake for a while. */
export function awake(locks: Locks, power: PowerCare): CommandExecutor {
  return {
    ...locks.commands,
    execute: (command, requestHash) => {
      power.take({ type: "activity" });
      return locks.commands.execute(command, requestHash);
    },
  };
}
