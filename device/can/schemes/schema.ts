/** The one schema of collection schemes: `scheme.schema.json` is printed from it. */
import { EVENT_KINDS, SIGNALS } from "@kerbside/protocol";
import Type, { type TSchema } from "typebox";

export const SCHEME_SCHEMA_ID = "https://kerbside.example/schemas/scheme-1.json";

const closed = { additionalProperties: false } as const;
const NAME = "^[a-z0-9][a-z0-9.-]{0,63}$";
const RULE_NAME = "^[a-z0-9][a-z0-9-]{0,31}$";
const HOUR_MS = 3_600_000;
export const RULES_MAX = 128;
/** No rule may sample faster than this: the buffer is for years. */
const SAMPLE_MS_MIN = 20;

const literals = (names: readonly string[]): TSchema =>
  Type.Unsafe<string>({ type: "string", enum: [...names] });
const signal: TSchema = literals(Object.keys(SIGNALS));
const signals: TSchema = Type.Array(signal, { minItems: 1, maxItems: 32, uniqueItems: true });
const expression: TSchema = Type.String({ minLength: 1, maxLength: 1000 });
const ms = (minimum: number): TSchema => Type.Integer({ minimum, maximum: 24 * HOUR_MS });

const emit: TSchema = Type.Object(
  {
    kind: literals(Object.keys(EVENT_KINDS)),
    data: Type.Record(Type.String({ pattern: "^[A-Za-z][A-Za-z0-9]*$" }), expression, closed),
  },
  closed,
);
const sample: TSchema = Type.Object(
  {
    signals,
    everyMs: ms(SAMPLE_MS_MIN),
    beforeMs: Type.Integer({ minimum: 0, maximum: 30_000 }),
    afterMs: Type.Integer({ minimum: 0, maximum: 60_000 }),
  },
  closed,
);
const name: TSchema = Type.String({ pattern: RULE_NAME });
const change: TSchema = Type.Object(
  {
    name,
    on: Type.Literal("change"),
    signals,
    deadband: Type.Optional(
      Type.Object(
        Object.fromEntries(
          Object.keys(SIGNALS).map((key) => [key, Type.Optional(Type.Number({ minimum: 0 }))]),
        ),
        closed,
      ),
    ),
    minIntervalMs: Type.Optional(ms(0)),
    emit: Type.Optional(emit),
  },
  closed,
);
const periodic: TSchema = Type.Object(
  {
    name,
    on: Type.Literal("periodic"),
    everyMs: ms(SAMPLE_MS_MIN),
    while: Type.Optional(expression),
    signals: Type.Optional(signals),
    emit: Type.Optional(emit),
  },
  closed,
);
const condition: TSchema = Type.Object(
  {
    name,
    on: Type.Literal("condition"),
    when: expression,
    while: Type.Optional(expression),
    forMs: Type.Optional(ms(0)),
    minIntervalMs: Type.Optional(ms(0)),
    emit: Type.Optional(emit),
    sample: Type.Optional(sample),
  },
  closed,
);
const trip: TSchema = Type.Object({ name, on: Type.Literal("trip"), endMs: ms(0) }, closed);
const lock: TSchema = Type.Object({ name, on: Type.Literal("lock") }, closed);

/** By `on`: what is wrong in a rule is looked for among rules of its kind only. */
export const RULE_SCHEMAS: Readonly<Record<string, TSchema>> = {
  change,
  periodic,
  condition,
  trip,
  lock,
};

const envelope = (rule: TSchema): TSchema =>
  Type.Object(
    {
      $schema: Type.Optional(Type.String()),
      format: Type.Literal(1),
      name: Type.String({ pattern: NAME }),
      version: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
      priority: Type.Integer({ minimum: 0, maximum: 100 }),
      expiresAtMs: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
      rules: Type.Array(rule, {
        minItems: 1,
        maxItems: RULES_MAX,
      }),
    },
    {
      ...closed,
      $schema: "https://json-schema.org/draft/2020-12/schema",
      $id: SCHEME_SCHEMA_ID,
      title: "Collection scheme",
      description: "Which signals of a car become events, and when.",
    },
  );
/** A scheme whose rules may be anything. */
export const envelopeSchema: TSchema = envelope(
  Type.Object({ on: literals(Object.keys(RULE_SCHEMAS)) }),
);
export const schemeSchema: TSchema = envelope(Type.Union(Object.values(RULE_SCHEMAS)));
