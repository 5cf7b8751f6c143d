/**
 * The agent: who it is, its car, its buffer, its locks, its line to the cloud, composed. Signals become events, events
 * are durable before they are sent, commands go through the executor and nowhere else. Whatever fails in one part, the
 * others go on.
 */
import { join } from "node:path";
import { type Buffer as EventBuffer, openBuffer } from "@kerbside/buffer";
import { type Collector, createCollector } from "@kerbside/can";
import { openPolicyStore, type PolicyStore } from "@kerbside/immobiliser";
import {
  type Channel,
  type Clock,
  type Log,
  type NewEvent,
  ProtocolError,
  type Push,
  type Random,
  type Transport,
} from "@kerbside/protocol";
import {
  type Budget,
  type Certificate,
  createSession,
  type Identity,
  keepCertificate,
  mqttTransport,
  openBudget,
  startUplink,
  type Uplink,
} from "@kerbside/uplink";
import { type ArtefactParts, artefactTaker } from "./artefacts.ts";
import { type Car, startCar } from "./car.ts";
import type { AgentConfig } from "./config.ts";
import { identityDir, joinTenant } from "./enrolment.ts";
import { Entry } from "./entry.ts";
import { openEpochNumbers } from "./epoch-numbers.ts";
import { busFaults } from "./faults.ts";
import { type FlowRules, startFlowRules } from "./flow-rules.ts";
import { checkHardware } from "./lock-hardware.ts";
import { type Locks, startLocks } from "./locks.ts";
import { type AgentStatus, serveMetrics } from "./metrics.ts";
import { awake, openBooking, startPower } from "./power-parts.ts";
import { pushTaker } from "./pushes.ts";
import type { Receipts } from "./receipts.ts";
import { flowsOf, keepersOf, openShelves, type Shelves, tellDamaged } from "./shelves.ts";
import { openTripFile, type TripFile } from "./trip-file.ts";
import { AGENT_VERSION } from "./version.ts";
import type { Wires } from "./wires.ts";

export type AgentOptions = {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** How long the processor has been suspended, in ms since any moment; left out, it never is. */
  readonly suspendedMs?: () => number;
  readonly wires?: Wires;
};

export type Agent = {
  /** Ends everything in order: farewell said, log closed. Never rejects. */
  readonly close: () => Promise<void>;
};

/** `kept` is called once it is on the disk. */
type Emit = (event: NewEvent & { readonly bootMs?: number }, kept?: () => void) => void;

/** What cannot be kept is counted by the buffer itself; here it is only not an unhandled rejection. */
function emitter(buffer: EventBuffer, log: Log): Emit {
  return (event, kept) => {
    buffer.append(event).then(kept, (error: unknown) => {
      const code = error instanceof ProtocolError ? error.code : "bug";
      log.error("event.not_kept", { kind: event.kind, code });
    });
  };
}

function openCarBuffer(
  options: AgentOptions,
  identity: Identity,
  entry: Entry,
): Promise<EventBuffer> {
  const { config, clock, random, log } = options;
  const { address, signingKey, keys } = identity;
  return openBuffer({
    dir: join(config.dataDir, "buffer"),
    address,
    signingKey,
    ingestKey: keys.ingestKey(),
    agentVersion: AGENT_VERSION,
    clock,
    random,
    log,
    trackWindowMs: config.trackWindowMs,
    time: () => entry.eventTime(),
  });
}

/**
 * Starts the agent; enrols first where it must. Throws ConfigError, ProfileError, ProtocolError and what the disk throws.
 * What a start that failed had begun by then goes on: the process is to end. After that nothing ends it but `close`.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { config, clock, random, log } = options;
  const wired = options.wires === undefined ? {} : { wires: options.wires };
  const shelves = await openShelves(config, log);
  checkHardware(config, shelves.profile.profile);
  const identity = await joinTenant(options);
  const entry = await Entry.open({ config, identity, clock, random, log, ...wired });
  const buffer = await openCarBuffer(options, identity, entry);
  const emit = emitter(buffer, log);
  tellDamaged(shelves, emit);
  tellStarted(buffer, emit, log);
  // As it was last seen: of a bus that has fallen silent nothing is fresh.
  const ignitionOn = (): boolean => car.store.read("Vehicle.LowVoltageSystemState").value === "ON";
  const onBusEvent = busFaults(clock, ignitionOn, emit);
  const car = startCar({
    ...{ config, profile: shelves.profile.profile, clock, random, log, onBusEvent, ...wired },
    onGnssTime: (time) => entry.hintTime(time),
  });
  const session = createSession(clock, random);
  const epochs = openEpochNumbers(join(config.dataDir, "epoch"), clock);
  const policy = await openPolicyStore(join(config.dataDir, "policy", "rental"), config);
  const onRental = (open: boolean): void => {
    entry.rentalChanged();
    power.take({ type: "rental", open });
    power.look();
  };
  const locks = await startLocks({
    ...{ config, clock, random, log, car, policy, session, emit, onRental, ...wired },
  });
  const { make, certificate } = lineOf(options, identity, entry);
  let line: Uplink | undefined;
  const { power, transport, stop } = startPower(options, {
    ...{ emit, car, locks, entry, identity, session, make },
    uplink: () => line,
  });
  const { collector, trips, rules } = await collect({ ...options, car, locks, shelves, emit });
  const changed = (): void => {
    buffer.renew(identity.keys.ingestKey());
    uplink.announce();
    power.look();
  };
  const uplink = startUplink({
    address: identity.address,
    transport,
    buffer,
    budget: budgetOf(options, entry),
    session,
    signingKey: identity.signingKey,
    commandKey: () => identity.keys.key("command") ?? identity.commandKey,
    announces: () => ({
      ...entry.announces(),
      ...shelves.receipts.announces(),
      keyVersions: identity.keys.versions(),
      epochNumber: epochs.of(session.epoch()),
      power: power.state(),
    }),
    wantsTime: () => entry.wantsTime(),
    onNonce: (nonce) => entry.announced(nonce, session.epoch()),
    other: downTaker({
      ...{ entry, identity, log, changed, clock, emit },
      ...{ keepers: keepersOf(shelves, policy, collector, rules), receipts: shelves.receipts },
    }),
    commands: awake(locks, power),
    clock,
    random,
    log,
    agentVersion: AGENT_VERSION,
    profile: nameOf(car),
  });
  line = uplink;
  entry.start(locks, emit, changed, () => power.take({ type: "wake", source: "card" }));
  locks.onLate((answer) => uplink.report(answer));
  const settled = locks.interrupted.then((answers) => {
    for (const answer of answers) uplink.report(answer);
  });
  const parts = {
    ...{ rules, collector, trips, car, entry, locks, policy, settled, buffer, uplink, log },
    ...{ receipts: shelves.receipts, stopPower: stop, certificate },
    stopMetrics: tellMetrics(options, entry, buffer, uplink),
  };
  return { close: () => closeAll(parts) };
}

const nameOf = ({ profile: { profile } }: Car): string => `${profile.name}/${profile.version}`;

/** The first event of this run, which says how the one before ended. */
function tellStarted({ previousEndedCleanly }: EventBuffer, emit: Emit, log: Log): void {
  const data = { version: AGENT_VERSION, previousEndedCleanly };
  emit({ kind: "agent.started", data }, () => log.info("agent.first_event"));
}

/** How the car connects, and what keeps its certificate alive for that. */
function lineOf(
  { config, clock, random, log, wires }: AgentOptions,
  identity: Identity,
  entry: Entry,
): { readonly make: (keepaliveS: number) => Transport; readonly certificate?: Certificate } {
  if (wires !== undefined) return { make: wires.transport };
  const broker = config.broker ?? identity.broker;
  const { address } = identity;
  const certificate = keepCertificate({
    dir: identityDir(config),
    ...{ identity, url: config.enrolment.url, clock, random, log },
    latestMs: () => entry.latestMs(),
    judge: entry.judge,
  });
  const { tls, doubted: onFailed } = certificate;
  const { judge } = entry;
  const make = (keepaliveS: number): Transport =>
    mqttTransport({ address, ...broker, tls, judge, onFailed, clock, keepaliveS });
  return { make, certificate };
}

/** Buffer and line, for whoever asks at the car. */
function tellMetrics(
  { config, log }: AgentOptions,
  entry: Entry,
  buffer: EventBuffer,
  uplink: Uplink,
): () => void {
  const read = (): AgentStatus => {
    const { bootMs, wallOffsetMs } = entry.eventTime();
    return { buffer: buffer.status(), uplink: uplink.status(), nowMs: bootMs + wallOffsetMs };
  };
  return serveMetrics(config.dataDir, read, log);
}

/** What sending may cost, by the configuration. */
function budgetOf({ config, clock, log }: AgentOptions, entry: Entry): Budget {
  return openBudget({
    settings: config.budget ?? {},
    file: join(config.dataDir, "budget.json"),
    trustedMs: () => entry.earliestMs(),
    ...{ clock, log },
  });
}

/** From signals to events, by the schemes in force; a trip under way goes on. */
async function collect({
  config,
  clock,
  log,
  car,
  locks,
  shelves,
  emit,
}: Pick<AgentOptions, "config" | "clock" | "log"> & {
  readonly car: Car;
  readonly locks: Locks;
  readonly shelves: Shelves;
  readonly emit: Emit;
}): Promise<Pick<Parts, "collector" | "trips" | "rules">> {
  const mountPoint = join(config.dataDir, "cage");
  const rules = startFlowRules({ mountPoint, store: car.store, clock, emit, log });
  rules.apply(flowsOf(shelves));
  const trips = await openTripFile(join(config.dataDir, "trip"), clock, log);
  const collector = createCollector({
    profile: car.profile,
    store: car.store,
    clock,
    emit: (event) => {
      emit(event);
      rules.seen(event);
    },
    lockCause: locks.cause,
    booking: () => openBooking(locks),
    trips: trips.memory,
    schemes: shelves.schemes.schemes(),
  });
  return { collector, trips, rules };
}

/** What comes down besides commands and acknowledgements: time, keys, policies, grants. */
function downTaker(parts: {
  readonly entry: Entry;
  readonly identity: Identity;
  readonly log: Log;
  readonly changed: () => void;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly keepers: ArtefactParts["keepers"];
  readonly receipts: Receipts;
}): (channel: Channel, payload: Uint8Array) => void {
  const { entry, identity, log, changed } = parts;
  const artefacts = artefactTaker({ ...parts, key: () => identity.keys.key("artefact") });
  const other = (push: Push): void => {
    artefacts(push);
    entry.takePush(push);
  };
  const pushes = pushTaker({ keys: identity.keys, log, changed, other });
  return (channel, payload) => {
    entry.takeTime(channel, payload);
    pushes(channel, payload);
  };
}

type Parts = {
  readonly receipts: Receipts;
  readonly rules: FlowRules;
  readonly collector: Collector;
  readonly trips: TripFile;
  readonly stopPower: () => void;
  readonly stopMetrics: () => void;
  readonly certificate: Certificate | undefined;
  readonly car: Car;
  readonly entry: Entry;
  readonly locks: Locks;
  readonly policy: PolicyStore;
  readonly settled: Promise<void>;
  readonly buffer: EventBuffer;
  readonly uplink: Uplink;
  readonly log: Log;
};

async function closeAll(parts: Parts): Promise<void> {
  const { collector, trips, stopPower, certificate, car, entry } = parts;
  const { locks, policy, settled, buffer, uplink, log } = parts;
  parts.stopMetrics();
  await parts.rules.stop();
  collector.close();
  await trips.close();
  stopPower();
  certificate?.close();
  await car.stop();
  await entry.close();
  await locks.stop();
  await parts.receipts.close();
  await policy.close();
  await settled;
  await buffer
    .append({ kind: "agent.stopping", data: { reason: "asked" } })
    .catch(() => log.warn("event.not_kept", { kind: "agent.stopping" }));
  await uplink.close();
  await buffer.close();
}
