/** The schemas of what is asked and answered. Unknown fields are refused in what is asked. */
import {
  ACTIONS,
  type Action,
  ARMED_MS_MAX,
  COMMAND_STATES,
  FEED_TOPICS,
  RENTAL_OPENERS,
} from "@kerbside/protocol";
import { type TSchema, type TUnsafe, Type } from "typebox";
import { HOLDER_PATTERN } from "../booking-rules.ts";

const ID = "^[a-z0-9][a-z0-9-]{0,39}$";
const TIME_CHARS_MAX = 40;
export const LIMIT_MAX = 1000;
export const WAIT_MS_MAX = 30_000;

const strict = { additionalProperties: false } as const;
const id = (description: string): TUnsafe<string> =>
  Type.Unsafe<string>({ type: "string", pattern: ID, description });
const text = (description: string, example?: string): TUnsafe<string> =>
  Type.Unsafe<string>({
    type: "string",
    description,
    ...(example === undefined ? {} : { examples: [example] }),
  });
const time = (description: string): TUnsafe<string> =>
  Type.Unsafe<string>({
    type: "string",
    maxLength: TIME_CHARS_MAX,
    description: `${description} (ISO 8601 with an offset)`,
    examples: ["2026-11-21T08:00:00.000Z"],
  });
const oneOf = <T extends string>(names: readonly T[], description: string): TUnsafe<T> =>
  Type.Unsafe<T>({ type: "string", enum: names, description });
/** A number in a query comes as text; nothing is coerced, so it is read by hand. */
const digits = (description: string): TUnsafe<string> =>
  Type.Unsafe<string>({ type: "string", pattern: "^[0-9]{1,15}$", description });

/** Names of the query's parts, with what each says. All are optional. */
export type QueryName =
  | "owner"
  | "vehicle"
  | "kind"
  | "from"
  | "to"
  | "after"
  | "limit"
  | "wait"
  | "vehicles";
const QUERY: Readonly<Record<QueryName, TSchema>> = {
  owner: Type.Unsafe<string>({
    type: "string",
    pattern: "^(person|booking|vehicle):[a-z0-9][a-z0-9-]{0,39}$",
    description: "whose: person:…, booking:… or vehicle:…",
  }),
  vehicle: id("only this vehicle"),
  vehicles: Type.Unsafe<string>({
    type: "string",
    // As many as a URL has room for.
    pattern: "^[a-z0-9][a-z0-9-]{0,39}(,[a-z0-9][a-z0-9-]{0,39}){0,39}$",
    description: "only these vehicles, up to 40, with commas between them",
    examples: ["car-1,car-2"],
  }),
  kind: Type.Unsafe<string>({
    type: "string",
    pattern: "^[a-z.]{1,40}(,[a-z.]{1,40}){0,7}$",
    description: "only these kinds of events, with commas between them",
    examples: ["trip.started,trip.ended"],
  }),
  from: time("only what happened then or later"),
  to: time("only what happened then or earlier"),
  after: Type.Unsafe<string>({
    type: "string",
    maxLength: 512,
    description: "continue after: `next` of the page before",
  }),
  limit: digits(`how many at most, to ${LIMIT_MAX}; 100 where nothing is said`),
  wait: digits(`wait up to so many milliseconds, to ${WAIT_MS_MAX}`),
};
export type Query = Partial<Record<QueryName, string>>;

export function querySchema(names: readonly QueryName[]): TSchema {
  return Type.Object(
    Object.fromEntries(names.map((name) => [name, Type.Optional(QUERY[name])])),
    strict,
  );
}

export const KEY_HEADERS: TSchema = Type.Object({
  "idempotency-key": Type.String({
    pattern: "^[\\x21-\\x7e]{1,64}$",
    description: "chosen by the caller: the same key asks for the same thing only once",
  }),
});

export type BookingBody = {
  readonly vehicle: string;
  readonly holder: string;
  readonly from: string;
  readonly to: string;
};
export const BookingBodySchema: TSchema = Type.Object(
  {
    vehicle: id("the car"),
    holder: Type.String({
      pattern: HOLDER_PATTERN.source,
      description: "opaque id of the person; never a name or an address",
    }),
    from: time("from"),
    to: time("to"),
  },
  strict,
);

export type BookingChange = { readonly to: string };
export const BookingChangeSchema: TSchema = Type.Object({ to: time("to") }, strict);

export type CommandBody = {
  readonly action: Action;
  readonly booking?: string;
  readonly wakeMs?: number;
  readonly armMs?: number;
  readonly target?: string;
};
export const CommandBodySchema: TSchema = Type.Object(
  {
    action: oneOf(ACTIONS, "what to do"),
    booking: Type.Optional(
      id("the booking it is for; needed unless the token has the scope commands:operate"),
    ),
    wakeMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: WAIT_MS_MAX,
        description: "wake a car that sleeps, and give it so many milliseconds; 0: do not",
      }),
    ),
    armMs: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: ARMED_MS_MAX,
        description:
          "immobilising and terminate: wait on the car until it stands, for so many milliseconds; else it is refused",
      }),
    ),
    target: Type.Optional(
      Type.Unsafe<string>({
        type: "string",
        pattern: "^[0-9a-f]{32}$",
        description: "cancel only: the armed command",
      }),
    ),
  },
  strict,
);

export const VehicleSchema: TSchema = Type.Object(
  {
    vehicle: id("the car"),
    profile: text("name of its vehicle profile"),
    online: Type.Boolean({ description: "whether a command would reach it now" }),
    enrolledAt: time("when it was enrolled"),
    revokedAt: Type.Optional(time("when it was revoked")),
    session: Type.Optional(
      Type.Object(
        {
          announcedAt: time("when the session was announced"),
          agentVersion: text("version of the agent"),
          profile: text("the profile in force"),
        },
        strict,
      ),
    ),
  },
  strict,
);
export const BookingSchema: TSchema = Type.Object(
  {
    booking: id("its id"),
    vehicle: id("the car"),
    holder: Type.Optional(
      text("opaque id of the person; left out for people's accounts, which ask with a reason"),
    ),
    from: time("from"),
    to: time("to; of an ended booking, when it ended"),
    state: oneOf(
      ["reserved", "open", "ended", "cancelled"],
      "open once a first unlocking was done",
    ),
    version: Type.Integer({ description: "rises with each change" }),
    rental: Type.Optional(
      Type.Object(
        {
          state: oneOf(["open", "ended"], "where it stands on the car"),
          by: Type.Optional(oneOf(RENTAL_OPENERS, "what opened it")),
          since: time("since when it stands so"),
        },
        {
          ...strict,
          description:
            "by the car's own newest word, whether or not a command had to do with it; left out where it has said none",
        },
      ),
    ),
  },
  strict,
);
export const RevealBodySchema: TSchema = Type.Object(
  {
    reason: Type.String({
      minLength: 4,
      maxLength: 200,
      description: "what it is needed for; stays in the audit trail",
    }),
  },
  strict,
);
export const RevealedSchema: TSchema = Type.Object(
  {
    booking: id("the booking"),
    holder: text("opaque id of the person"),
    name: Type.Optional(text("as the person writes it")),
    phone: Type.Optional(text("E.164")),
    email: Type.Optional(text("e-mail address")),
  },
  strict,
);
const SEEN = ["yes", "no", "unknown"] as const;
export const CommandSchema: TSchema = Type.Object(
  {
    id: text("its id", "0123456789abcdef0123456789abcdef"),
    vehicle: id("the car"),
    action: oneOf(ACTIONS, "what was asked"),
    booking: Type.Optional(id("the booking it is for")),
    state: oneOf(COMMAND_STATES, "where it stands"),
    final: Type.Boolean({
      description: "nothing more will come of it, but a late answer of the car",
    }),
    steps: Type.Array(
      Type.Object({ state: oneOf(COMMAND_STATES, "step"), at: time("when") }, strict),
    ),
    deadline: time("when it becomes `unknown` if the car has not answered"),
    result: Type.Optional(
      Type.Object(
        {
          status: text("what the car says became of it"),
          replayed: Type.Boolean({ description: "the recorded answer to one seen before" }),
          unmet: Type.Array(
            Type.Object({ condition: text("its name"), words: text("in words") }, strict),
            { description: "every condition that was not met" },
          ),
          sensed: Type.Optional(
            Type.Object(
              {
                locked: oneOf(SEEN, "all bolts seen locked"),
                immobilised: oneOf(SEEN, "start inhibited"),
                doorsClosed: oneOf(SEEN, "all doors and the trunk seen closed"),
              },
              { ...strict, description: "the state after it, by the sensors" },
            ),
          ),
          durable: Type.Boolean({ description: "intent and result are on the car's disk" }),
          reason: Type.Optional(text("why it failed, e.g. jam")),
          mayHaveSucceeded: Type.Boolean({ description: "the bolts may have moved all the same" }),
        },
        { ...strict, description: "the car's own signed answer" },
      ),
    ),
    error: Type.Optional(
      Type.Object(
        {
          code: text("a code of the table of errors"),
          words: text("in words"),
          mayHaveSucceeded: Type.Boolean({ description: "it may have happened all the same" }),
          temporary: Type.Boolean({ description: "asking again later is worth while" }),
        },
        strict,
      ),
    ),
  },
  strict,
);
export const EventSchema: TSchema = Type.Object(
  {
    vehicle: id("the car"),
    log: text("the log: what its buffer wrote between one boot and the next"),
    lane: oneOf(["critical", "state", "track"], "the lane"),
    seq: Type.Optional(Type.Integer({ description: "its number in lane and log" })),
    at: Type.Optional(time("when it happened")),
    kind: Type.Optional(text("its kind", "lock.changed")),
    data: Type.Optional(Type.Unknown({ description: "by kind" })),
    gap: Type.Optional(
      Type.Array(Type.Integer(), { description: "instead: numbers declared as gone, inclusive" }),
    ),
  },
  strict,
);
export const FeedSchema: TSchema = Type.Object(
  {
    cursor: Type.Integer({ description: "rises in the order of commits" }),
    at: time("when"),
    topic: oneOf(FEED_TOPICS, "what changed"),
    id: text("its id: fetch it to see what you may see"),
  },
  strict,
);

export function pageOf(item: TSchema): TSchema {
  return Type.Object(
    { items: Type.Array(item), next: Type.Optional(text("hand in as `after` for the next page")) },
    strict,
  );
}
