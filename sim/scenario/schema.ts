/**
 * The form of scenario files: what may be written, as a schema from which the types and the published JSON Schema
 * (scenario.schema.json) come. What a file means beyond its form is for the linter to check.
 */
import Type, { type Static, type TSchema } from "typebox";
import { CAR_FAULT_NAMES } from "../car/state.ts";
import { DURATION_PATTERN } from "./duration.ts";

const strict = { additionalProperties: false } as const;
const name = (description: string): Type.TString =>
  Type.String({ pattern: "^[a-z][a-z0-9-]{0,39}$", description });
const duration = (description: string): Type.TUnion<[Type.TNumber, Type.TString]> =>
  Type.Union([Type.Number(), Type.String({ pattern: DURATION_PATTERN })], { description });
const hex = (bytes: string, description: string): Type.TString =>
  Type.String({ pattern: `^(?:[0-9a-f]{2}){${bytes}}$`, description });
const oneOf = <const N extends readonly string[]>(names: N, description: string) =>
  Type.Unsafe<N[number]>({ enum: names, description });
const fields = Type.Record(Type.String(), Type.Unknown(), {
  description: "what must be there among others; `>= 3`, `/pattern/` and lists of parts too",
});

export const CardSchema = Type.Object(
  {
    uid: hex("4,10", "its number"),
    key: Type.Optional(hex("16", "its AES key; without one it only has its number")),
    pin: Type.Optional(Type.String({ pattern: "^[0-9]{4,8}$" })),
  },
  strict,
);
export const PhoneSchema = Type.Object(
  {
    seed: hex("32", "of its Ed25519 key"),
    carries: Type.Optional(name("a grant that it has fetched by itself")),
  },
  strict,
);

export const COVERAGES = ["full", "weak", "none"] as const;
/** Faults of the world around the car, beside those of its body. */
export const WORLD_FAULTS = ["broker", "cloud", "coverage"] as const;

const expectation = Type.Object(
  {
    within: Type.Optional(duration("how long it may take (30s)")),
    event: Type.Optional(Type.String({ description: "a kind of event that is in the store" })),
    data: Type.Optional(fields),
    times: Type.Optional(Type.Integer({ minimum: 0, description: "just so often" })),
    never: Type.Optional(Type.String({ description: "a kind of event that is not in the store" })),
    car: Type.Optional(fields),
    vehicle: Type.Optional(fields),
    command: Type.Optional(name("of a step before")),
    booking: Type.Optional(name("of a step before")),
    grant: Type.Optional(name("of a step before")),
    has: Type.Optional(fields),
    alarm: Type.Optional(Type.String({ description: "a kind of alarm of the tenant" })),
    quarantined: Type.Optional(Type.String({ description: "part of a reason" })),
    delivered: Type.Optional(
      Type.Literal(true, { description: "the car holds nothing that the store has not" }),
    ),
    intact: Type.Optional(
      Type.Literal(true, { description: "numbers without a hole that is not declared" }),
    ),
  },
  strict,
);

const command = Type.Object(
  {
    do: Type.String({ description: "an action of the API" }),
    as: Type.Optional(name("how later steps call it")),
    booking: Type.Optional(name("of a step before; without one the operator asks")),
    by: Type.Optional(oneOf(["backend", "operator"], "who asks (backend, with a booking)")),
    target: Type.Optional(name("the armed command that `cancel` is for")),
    arm: Type.Optional(duration("how long it may stay armed")),
    wake: Type.Optional(duration("how long a sleeping car may take to wake")),
    wait: Type.Optional(duration("how long the caller waits (20s)")),
    is: Type.Optional(
      Type.String({ description: "the state or the error it comes to (executed)" }),
    ),
    unmet: Type.Optional(Type.Array(Type.String(), { description: "among what stood against it" })),
  },
  strict,
);

/** What a step does: exactly one of these. */
export const DEEDS = {
  say: Type.String({ description: "what happens now, for the reader" }),
  wait: duration("time passes"),
  book: Type.Object(
    {
      as: name("how later steps call it"),
      from: Type.Optional(duration("from now (-1m)")),
      for: Type.Optional(duration("how long (2h)")),
      holder: Type.Optional(name("a person (renter)")),
    },
    strict,
  ),
  extend: Type.Object({ booking: name("of a step before"), by: duration("longer") }, strict),
  end: name("a booking, by the operator's backend"),
  cancel: name("a booking that nobody has opened"),
  grant: Type.Object(
    {
      as: name("how later steps call it"),
      booking: name("of a step before"),
      card: Type.Optional(CardSchema),
      phone: Type.Optional(PhoneSchema),
      actions: Type.Optional(Type.Array(Type.String())),
      uid: Type.Optional(oneOf(["never", "with_pin", "alone"], "whether its bare number opens")),
    },
    strict,
  ),
  revoke: name("a grant"),
  command,
  tap: Type.Object(
    {
      card: Type.Optional(CardSchema),
      phone: Type.Optional(PhoneSchema),
      action: Type.Optional(Type.String({ description: "of a phone" })),
      shows: Type.Optional(Type.String({ description: "what the reader shows (granted)" })),
    },
    strict,
  ),
  act: Type.Object(
    { type: Type.String(), refused: Type.Optional(Type.String({ description: "part of why" })) },
    { additionalProperties: Type.Unknown(), description: "what a person in or at the car does" },
  ),
  drive: Type.Object(
    {
      for: Type.Optional(duration("of the drive itself (20s)")),
      kmh: Type.Optional(Type.Number({ minimum: 5, maximum: 130 })),
      as: Type.Optional(name("go on meanwhile; `await` waits for it")),
      fails: Type.Optional(Type.String({ description: "part of why it cannot go on" })),
    },
    { ...strict, description: "get in, start, drive, park, get out" },
  ),
  await: name("a drive that goes on"),
  fault: Type.Object(
    Object.fromEntries(CAR_FAULT_NAMES.map((fault) => [fault, Type.Optional(Type.Boolean())])),
    { ...strict, description: "faults of the car, on or off" },
  ),
  coverage: oneOf(COVERAGES, "of the mobile network where the car is"),
  broker: oneOf(["up", "down"], "whether cars reach the broker"),
  cloud: oneOf(["up", "down"], "all services of the cloud"),
  power: oneOf(["cut", "back"], "the module's supply"),
  agent: oneOf(["stop", "start", "restart"], "the agent, in order"),
  clock: Type.Union([Type.Literal("right"), Type.String({ format: "date-time" })], {
    description: "what the module's own clock says",
  }),
  disk: oneOf(["keep", "restore", "clone"], "a copy of the module's disk is made, put back, run"),
  vehicle: oneOf(["revoke"], "what the operator does with the car's right to connect"),
  expect: expectation,
} as const satisfies Record<string, TSchema>;
export type DeedName = keyof typeof DEEDS;
export const DEED_NAMES: readonly DeedName[] = Object.keys(DEEDS) as DeedName[];

const step = Type.Object(
  {
    at: Type.Optional(duration("not before this moment since the beginning")),
    words: Type.Optional(Type.String({ maxLength: 200, description: "why, for the report" })),
    say: Type.Optional(DEEDS.say),
    wait: Type.Optional(DEEDS.wait),
    book: Type.Optional(DEEDS.book),
    extend: Type.Optional(DEEDS.extend),
    end: Type.Optional(DEEDS.end),
    cancel: Type.Optional(DEEDS.cancel),
    grant: Type.Optional(DEEDS.grant),
    revoke: Type.Optional(DEEDS.revoke),
    command: Type.Optional(DEEDS.command),
    tap: Type.Optional(DEEDS.tap),
    act: Type.Optional(DEEDS.act),
    drive: Type.Optional(DEEDS.drive),
    await: Type.Optional(DEEDS.await),
    fault: Type.Optional(DEEDS.fault),
    coverage: Type.Optional(DEEDS.coverage),
    broker: Type.Optional(DEEDS.broker),
    cloud: Type.Optional(DEEDS.cloud),
    power: Type.Optional(DEEDS.power),
    agent: Type.Optional(DEEDS.agent),
    clock: Type.Optional(DEEDS.clock),
    disk: Type.Optional(DEEDS.disk),
    vehicle: Type.Optional(DEEDS.vehicle),
    expect: Type.Optional(DEEDS.expect),
  },
  strict,
);
/** More would be a programme, not a story. */
export const STEPS_MAX = 200;

export const ScenarioSchema = Type.Object(
  {
    scenario: Type.String({ minLength: 1, maxLength: 80, description: "its name" }),
    story: Type.String({
      minLength: 1,
      maxLength: 600,
      description: "what it shows, and for whom",
    }),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 })),
    steps: Type.Array(step, { minItems: 1, maxItems: STEPS_MAX }),
  },
  {
    ...strict,
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Kerbside scenario",
  },
);

export type Scenario = Static<typeof ScenarioSchema>;
export type Step = Scenario["steps"][number];
export type Expectation = Static<typeof expectation>;
export type Deed = {
  readonly [K in DeedName]: { readonly deed: K; readonly given: NonNullable<Step[K]> };
}[DeedName];

/** The one thing that a step does; undefined where it does none or several. */
export function deedOf(step: Step): Deed | undefined {
  const named = DEED_NAMES.filter((deed) => step[deed] !== undefined);
  const [deed] = named;
  if (deed === undefined || named.length > 1) return undefined;
  return { deed, given: step[deed] } as Deed;
}
