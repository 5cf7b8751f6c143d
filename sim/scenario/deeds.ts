/** What each kind of step does on a stage: a table. */

import { fromHex, GRANT_ACTIONS } from "@kerbside/protocol";
import { type Action, parseAction } from "../car/actions.ts";
import { isObject } from "../car/fields.ts";
import { isCarFault } from "../car/state.ts";
import { parseTap } from "../reader/parse-tap.ts";
import type { CardTap, PhoneTap } from "../reader/reader.ts";
import { type Duration, durationMs } from "./duration.ts";
import { expectation } from "./expectations.ts";
import { publicSigningKey } from "./keys.ts";
import { mismatch, shown } from "./match.ts";
import type { Cast, Seen } from "./play.ts";
import type { DeedName, Step } from "./schema.ts";
import type { Json, Stage, StageAnswer, StageAsk } from "./stage.ts";

type Given<K extends DeedName> = NonNullable<Step[K]>;
type Done = {
  readonly [K in DeedName]: (given: Given<K>, stage: Stage, cast: Cast) => Promise<Seen>;
};

const BOOKING_FROM: Duration = "-1m";
const BOOKING_FOR: Duration = "2h";
const COMMAND_WAIT: Duration = "20s";
/** The API holds a caller no longer, ms. */
const API_WAIT_MS_MAX = 30_000;
const DRIVE_FOR: Duration = "20s";
const DRIVE_KMH = 50;

const held = (evidence = ""): Seen => ({ held: true, evidence });
const not = (evidence: string): Seen => ({ held: false, evidence });

/** The id behind a name; the linter has seen that there is one. */
export function named(of: ReadonlyMap<string, string>, name: string): string {
  const id = of.get(name);
  if (id === undefined) throw new Error(`${name}: nothing has this name, as its step failed`);
  return id;
}

function words({ status, body }: StageAnswer): string {
  const said = ["state", "code", "title", "detail"].flatMap((name) =>
    body[name] === undefined ? [] : [`${name} ${shown(body[name])}`],
  );
  const unmet = unmetIn(body);
  if (unmet.length > 0) said.push(`unmet ${unmet.join(", ")}`);
  return `status ${status}${said.length === 0 ? "" : `: ${said.join(", ")}`}`;
}

/** The names of what stood against a command. */
function unmetIn({ result }: Json): readonly string[] {
  const unmet = isObject(result) ? result["unmet"] : undefined;
  return Array.isArray(unmet)
    ? unmet.filter(isObject).map(({ condition }) => String(condition))
    : [];
}

function once(cast: Cast): string {
  cast.asked += 1;
  return `scenario-${cast.asked}`;
}

async function must(stage: Stage, ask: StageAsk): Promise<StageAnswer> {
  const answer = await stage.ask(ask);
  if (answer.status >= 300) throw new Error(`${ask.method} ${ask.path}: ${words(answer)}`);
  return answer;
}

const iso = (ms: number): string => new Date(Math.round(ms)).toISOString();

const book: Done["book"] = async ({ as, from, for: lasts, holder }, stage, cast) => {
  const fromMs = stage.wallMs() + durationMs(from ?? BOOKING_FROM);
  const toMs = fromMs + durationMs(lasts ?? BOOKING_FOR);
  const body = {
    vehicle: stage.vehicle,
    holder: holder ?? "renter",
    from: iso(fromMs),
    to: iso(toMs),
  };
  const made = await must(stage, { method: "POST", path: "/bookings", body, key: once(cast) });
  const id = String(made.body["booking"]);
  cast.bookings.set(as, id);
  return held(`${id} until ${iso(toMs)}`);
};

const extend: Done["extend"] = async ({ booking, by }, stage, cast) => {
  const path = `/bookings/${named(cast.bookings, booking)}`;
  const now = await must(stage, { method: "GET", path });
  const to = iso(Date.parse(String(now.body["to"])) + durationMs(by));
  await must(stage, { method: "PATCH", path, body: { to } });
  return held(`until ${to}`);
};

const move =
  (verb: "end" | "cancel") =>
  async (booking: string, stage: Stage, cast: Cast): Promise<Seen> => {
    const path = `/bookings/${named(cast.bookings, booking)}/${verb}`;
    return held(words(await must(stage, { method: "POST", path })));
  };

const grant: Done["grant"] = async (given, stage, cast) => {
  const { as, booking, card, phone, actions = GRANT_ACTIONS, uid = "never" } = given;
  const path = `/bookings/${named(cast.bookings, booking)}/grants`;
  const body = {
    actions,
    ...(card !== undefined && {
      card: { ...card, proof: card.key === undefined ? "uid" : "keyed", uidRule: uid },
    }),
    ...(phone !== undefined && { phone: publicSigningKey(phone.seed) }),
  };
  const made = await must(stage, { method: "POST", path, body, key: once(cast) });
  cast.grants.set(as, String(made.body["grant"]));
  return held(words(made));
};

const revoke: Done["revoke"] = async (name, stage, cast) => {
  const path = `/grants/${named(cast.grants, name)}/revoke`;
  return held(words(await must(stage, { method: "POST", path })));
};

const command: Done["command"] = async (given, stage, cast) => {
  const { as, booking, target, arm, wake, unmet = [], is = "executed" } = given;
  const waitMs = Math.min(API_WAIT_MS_MAX, durationMs(given.wait ?? COMMAND_WAIT));
  const answer = await stage.during(
    stage.ask({
      method: "POST",
      path: `/vehicles/${stage.vehicle}/commands?wait=${waitMs}`,
      body: {
        action: given.do,
        ...(booking !== undefined && { booking: named(cast.bookings, booking) }),
        ...(target !== undefined && { target: named(cast.commands, target) }),
        ...(arm !== undefined && { armMs: durationMs(arm) }),
        ...(wake !== undefined && { wakeMs: durationMs(wake) }),
      },
      key: once(cast),
      asOperator: (given.by ?? (booking === undefined ? "operator" : "backend")) === "operator",
    }),
  );
  const { body } = answer;
  const id = body["id"] ?? body["command"];
  if (as !== undefined && typeof id === "string") cast.commands.set(as, id);
  const came = [body["state"], body["error"], body["code"]].includes(is);
  const why = came ? mismatch(unmet, unmetIn(body), "unmet") : `expected ${is}`;
  return why === undefined ? held(words(answer)) : not(`${why}; ${words(answer)}`);
};

const tap: Done["tap"] = async (given, stage, cast) => {
  const { shows = "granted" } = given;
  const what = await tapOf(given, stage, cast);
  const saw = await stage.during(stage.tap(what));
  return saw === shows ? held(`it showed ${saw}`) : not(`it showed ${saw}, not ${shows}`);
};

async function tapOf(
  { card, phone, action }: Pick<Given<"tap">, "card" | "phone" | "action">,
  stage: Stage,
  cast: Cast,
): Promise<CardTap | PhoneTap> {
  if (card !== undefined) {
    const { uid, key, pin } = card;
    return {
      kind: "card",
      uid: fromHex(uid),
      ...(key !== undefined && { key: fromHex(key) }),
      ...(pin !== undefined && { pin }),
    };
  }
  const carried =
    phone?.carries === undefined
      ? undefined
      : (
          await must(stage, {
            method: "POST",
            path: `/grants/${named(cast.grants, phone.carries)}/carry`,
          })
        ).body["carried"];
  const parsed = parseTap({
    kind: "phone",
    seed: phone?.seed,
    ...(action !== undefined && { action }),
    ...(carried !== undefined && { carried }),
  });
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.tap;
}

const act: Done["act"] = async ({ refused, ...fields }, stage) => {
  const parsed = parseAction(fields);
  if (!parsed.ok) throw new Error(parsed.problem);
  const action: Action = parsed.action;
  const why = await stage.act(action);
  if (refused === undefined) return why === undefined ? held() : not(`the car refused: ${why}`);
  return why?.includes(refused) === true
    ? held(`the car refused: ${why}`)
    : not(why === undefined ? "the car let it happen" : `the car refused: ${why}`);
};

const drive: Done["drive"] = async (given, stage, cast) => {
  const { for: lasts, kmh, as, fails } = given;
  const driving = stage.drive(durationMs(lasts ?? DRIVE_FOR), kmh ?? DRIVE_KMH);
  if (as !== undefined) {
    driving.catch(() => undefined);
    cast.drives.set(as, driving);
    return held("goes on");
  }
  const end = await stage.during(driving);
  if (fails === undefined) return end.done ? held() : not(end.why);
  return !end.done && end.why.includes(fails)
    ? held(end.why)
    : not(end.done ? "it drove" : end.why);
};

const awaits: Done["await"] = async (name, stage, cast) => {
  const driving = cast.drives.get(name);
  if (driving === undefined) throw new Error(`${name}: no such drive`);
  const end = await stage.during(driving);
  return end.done ? held() : not(end.why);
};

const fault: Done["fault"] = async (given, stage) => {
  for (const [name, on] of Object.entries(given)) {
    if (isCarFault(name) && typeof on === "boolean") await stage.fault(name, on);
  }
  return held();
};

async function agent(what: Given<"agent">, stage: Stage): Promise<Seen> {
  if (what !== "start") await stage.agent("stop");
  if (what !== "stop") await stage.agent("start");
  return held();
}

async function quiet(done: Promise<void>): Promise<Seen> {
  await done;
  return held();
}

export const DEEDS_DONE: Done = {
  say: async () => held(),
  wait: (time, stage) => quiet(stage.pass(durationMs(time))),
  book,
  extend,
  end: move("end"),
  cancel: move("cancel"),
  grant,
  revoke,
  command,
  tap,
  act,
  drive,
  await: awaits,
  fault,
  coverage: (coverage, stage) => quiet(stage.coverage(coverage)),
  broker: (is, stage) => quiet(stage.broker(is === "up")),
  cloud: (is, stage) => quiet(stage.cloud(is === "up")),
  power: (is, stage) => quiet(stage.power(is === "back")),
  agent,
  clock: (is, stage) => quiet(stage.clock(is === "right" ? undefined : Date.parse(is))),
  disk: (what, stage) => quiet(stage.disk(what)),
  vehicle: (_revoke, stage) => quiet(stage.revoke()),
  expect: expectation,
};
