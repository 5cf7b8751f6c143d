/** The cockpit's API as a table: method and path to what is asked of the simulation. All bodies are JSON. */
import { parseAction } from "../car/actions.ts";
import { type Check, isObject, numberIn, oneOf, problemIn, yesNo } from "../car/fields.ts";
import { CAR_FAULT_NAMES, isCarFault } from "../car/state.ts";
import { TOWN_MAP } from "../car/town.ts";
import { bookingScript } from "../drive/script.ts";
import { SPEED_MAX } from "../drive/simulation.ts";
import { COVERAGES, type Coverage } from "../network/mobile-network.ts";
import { parseTap } from "../reader/parse-tap.ts";
import { framesView, stateView, type ViewParts } from "./view.ts";
import { WORLD_FAULT_NAMES } from "./world-faults.ts";

export type Answer = { readonly status: number; readonly body: unknown };
type Handler = (parts: ViewParts, body: unknown) => Answer | Promise<Answer>;

const ok = (body: unknown): Answer => ({ status: 200, body });
/** Problem details (RFC 9457). */
export function problem(status: number, title: string, detail: string): Answer {
  return { status, body: { title, status, detail } };
}
const malformed = (detail: string): Answer => problem(400, "The request is not understood", detail);
const refused = (detail: string): Answer =>
  problem(409, "The car does not let that happen", detail);
/** Where the caller gets the car after what it did. */
const state = (parts: ViewParts): Answer => ok(stateView(parts));

export const ROUTES: Readonly<Record<string, Handler>> = {
  "GET /api/state": state,
  "GET /api/frames": (parts) => ok(framesView(parts)),
  "GET /api/town": ({ around }) => ok(townView(around.route)),
  "POST /api/action": (parts, body) => {
    const parsed = parseAction(body);
    if (!parsed.ok) return malformed(parsed.problem);
    const outcome = parts.simulation.act(parsed.action);
    return outcome.done ? state(parts) : refused(outcome.why);
  },
  "POST /api/pedals": (parts, body) => {
    const pedals = read<{ accelerator: number; brake: number }>(PEDALS, body);
    if (!pedals.ok) return malformed(pedals.problem);
    const outcome = parts.simulation.press(pedals.value);
    return outcome.done ? ok({}) : refused(outcome.why);
  },
  "POST /api/speed": (parts, body) => {
    const wanted = read<{ speed: number }>({ speed: numberIn(0.1, SPEED_MAX) }, body);
    if (!wanted.ok) return malformed(wanted.problem);
    parts.simulation.setSpeed(wanted.value.speed);
    return state(parts);
  },
  "POST /api/reset": (parts, body) => {
    const wanted = read({ part: oneOf(["controller"]) }, body);
    if (!wanted.ok) return malformed(wanted.problem);
    parts.simulation.resetController();
    return state(parts);
  },
  "POST /api/fault": switchFault,
  "POST /api/network": ({ outside }, body) => {
    const network = outside?.network;
    const wanted = read<{ coverage: Coverage }>({ coverage: oneOf(COVERAGES) }, body);
    if (!wanted.ok) return malformed(wanted.problem);
    if (network === undefined) return refused("no network of ours is between module and cloud");
    network.setCoverage(wanted.value.coverage);
    return ok({ coverage: network.coverage(), ...network.counts() });
  },
  "POST /api/tap": tap,
  // The whole of an SMS gateway: whoever it is for, this car's modem gets it.
  "POST /api/sms": ({ modem }) => ok({ heard: modem.message() }),
  "POST /api/script": runScript,
  "DELETE /api/script": ({ simulation }) => ok({ interrupted: simulation.interruptScript() }),
};

type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

function read<T>(checks: { readonly [K in keyof T]: Check<T[K]> }, body: unknown): Read<T> {
  if (!isObject(body)) return { ok: false, problem: "expected a JSON object" };
  const wrong = problemIn(checks, body);
  return wrong === undefined ? { ok: true, value: body as T } : { ok: false, problem: wrong };
}

const PEDALS: { readonly accelerator: Check<number>; readonly brake: Check<number> } = {
  accelerator: numberIn(0, 1),
  brake: numberIn(0, 1),
};

/** Any fault, of the body or of the world around it. */
function switchFault(parts: ViewParts, body: unknown): Answer {
  const names = [...CAR_FAULT_NAMES, ...WORLD_FAULT_NAMES];
  const wanted = read<{ fault: string; on: boolean }>({ fault: oneOf(names), on: yesNo }, body);
  if (!wanted.ok) return malformed(wanted.problem);
  const { fault, on } = wanted.value;
  if (isCarFault(fault)) {
    parts.simulation.act({ type: "fault", fault, on });
    return state(parts);
  }
  const known = WORLD_FAULT_NAMES.find((name) => name === fault);
  const why =
    known === undefined || parts.worldFaults === undefined
      ? "there is no such switch here"
      : parts.worldFaults.set(known, on);
  return why === undefined ? state(parts) : refused(why);
}

/** Holds a card or phone to the reader; answers with what the reader showed. */
async function tap({ reader }: ViewParts, body: unknown): Promise<Answer> {
  const parsed = parseTap(body);
  if (!parsed.ok) return malformed(parsed.problem);
  return ok({ shown: await reader.tap(parsed.tap) });
}

type ScriptWish = {
  readonly script: "booking";
  readonly driveSeconds: number;
  readonly kmhMax: number;
  readonly speed: number;
};
const SCRIPT_DEFAULTS: ScriptWish = { script: "booking", driveSeconds: 20, kmhMax: 50, speed: 1 };
const SCRIPT: { readonly [K in keyof ScriptWish]: Check<ScriptWish[K]> } = {
  script: oneOf(["booking"]),
  /** Of the car's time. */
  driveSeconds: numberIn(1, 3600),
  kmhMax: numberIn(5, 130),
  /** Times real time, until the script ends. */
  speed: numberIn(0.1, SPEED_MAX),
};

/** Answers when the script has ended: 200 finished, 409 with the step and the reason otherwise. */
async function runScript(parts: ViewParts, body: unknown): Promise<Answer> {
  if (!isObject(body)) return malformed("expected a JSON object");
  const wish = read<ScriptWish>(SCRIPT, { ...SCRIPT_DEFAULTS, ...body });
  if (!wish.ok) return malformed(wish.problem);
  const { driveSeconds, kmhMax, speed } = wish.value;
  const { simulation } = parts;
  const before = { ...simulation.world.car.motion };
  const running = simulation.runScript(bookingScript(driveSeconds * 1000, kmhMax));
  if (running === undefined) return refused("another script runs");
  const speedBefore = simulation.speed;
  simulation.setSpeed(speed);
  const end = await running;
  simulation.setSpeed(speedBefore);
  const distanceM = Math.round(simulation.world.car.motion.odometerM - before.odometerM);
  if (end.value === "finished") return ok({ finished: true, distanceM });
  if (end.value === "interrupted") {
    return problem(409, "The script was interrupted", "somebody asked for it");
  }
  const detail = `step ${end.step + 1} (${end.words}): ${end.why}`;
  return problem(409, "The script could not go on", detail);
}

/** The map: the round that is driven, and what lies around it, in metres from the market square. */
function townView(route: ViewParts["around"]["route"]): unknown {
  return { ...TOWN_MAP, round: route.points.map(({ eastM, northM }) => [eastM, northM]) };
}
