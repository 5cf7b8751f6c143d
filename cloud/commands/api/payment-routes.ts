/** Payments by the tenant's provider (P-23): neither a card nor the token of one passes here. */
import { AMOUNT_MAX, type Charge } from "@kerbside/protocol";
import { type TSchema, Type } from "typebox";
import { personParam } from "./people-routes.ts";
import type { Answer, Call, Route } from "./route.ts";

const strict = { additionalProperties: false } as const;
const PageSchema: TSchema = Type.Object(
  {
    page: Type.String({
      description: "of the provider, for the person to enter a card at; it holds for one person",
      examples: ["https://pay.example/p/7b0e2f4c"],
    }),
  },
  strict,
);
const ChargeSchema: TSchema = Type.Object(
  {
    reference: Type.String({
      pattern: "^[A-Za-z0-9_-]{1,64}$",
      description: "the same is charged once, however often it is asked for",
      examples: ["b-20261121-1"],
    }),
    amountMinor: Type.Integer({
      minimum: 1,
      maximum: AMOUNT_MAX,
      description: "in the currency's smallest unit",
      examples: [1250],
    }),
    currency: Type.String({
      pattern: "^[A-Z]{3}$",
      description: "ISO 4217",
      examples: ["EUR"],
    }),
  },
  strict,
);
const ChargedSchema: TSchema = Type.Object(
  {
    charge: Type.String({ description: "the provider's reference", examples: ["ch_7b0e2f4c"] }),
    state: Type.Unsafe<string>({ type: "string", enum: ["charged", "declined"] }),
  },
  strict,
);

async function audited(call: Call, action: string) {
  const { person } = await personParam(call);
  const { caller, from } = call;
  const subject = `person:${person}`;
  return {
    person,
    entry: { actor: caller.subject, action, subject, outcome: "done", from },
  } as const;
}

async function begin(call: Call): Promise<Answer> {
  const { person, entry } = await audited(call, "payment.begin");
  return { status: 201, body: await call.store.payments.begin(person, entry) };
}

async function charge(call: Call): Promise<Answer> {
  const { person, entry } = await audited(call, "payment.charge");
  // By the row's schema.
  const { charge: reference, state } = await call.store.payments.charge(
    person,
    call.body as Charge,
    entry,
  );
  return { status: 200, body: { charge: reference, state } };
}

export const PAYMENT_ROUTES: readonly Route[] = [
  {
    ...{ method: "POST", path: "/people/:person/card", operation: "beginCard" },
    summary: "Have a person enter a card at the provider; the one before is given up",
    ...{ scopes: ["payments:write"], tag: "people", body: Type.Object({}, strict) },
    answers: { 201: PageSchema },
    handle: begin,
  },
  {
    ...{ method: "POST", path: "/people/:person/charges", operation: "chargePerson" },
    summary: "Charge a person's card at the provider",
    ...{ scopes: ["payments:write"], tag: "people", body: ChargeSchema },
    answers: { 200: ChargedSchema },
    handle: charge,
  },
];
