/** The schemas of grants as they are asked for and shown. */
import { CARD_PROOFS, GRANT_ACTIONS, GRANTS_MAX, UID_RULES } from "@kerbside/protocol";
import { type TSchema, Type } from "typebox";

export { pageOf } from "./schemas.ts";

const strict = { additionalProperties: false } as const;
const hex = (bytes: string, description: string): TSchema =>
  Type.String({ pattern: `^(?:[0-9a-f]{2}){${bytes}}$`, description });
const oneOf = (names: readonly string[], description: string): TSchema =>
  Type.Unsafe<string>({ type: "string", enum: names, description });
const actions: TSchema = Type.Array(oneOf(GRANT_ACTIONS, "an action"), {
  minItems: 1,
  maxItems: GRANT_ACTIONS.length,
  uniqueItems: true,
});

export const GrantBodySchema: TSchema = Type.Object(
  {
    actions,
    phone: Type.Optional(
      Type.String({
        pattern: "^[A-Za-z0-9_-]{43}$",
        description: "instead of a card: the phone's Ed25519 public key, base64url",
      }),
    ),
    card: Type.Optional(
      Type.Object(
        {
          uid: hex("4,10", "its number, hexadecimal; only a keyed hash of it is kept"),
          proof: oneOf(CARD_PROOFS, "`keyed`: by its AES key; `uid`: it can show no more"),
          key: Type.Optional(hex("16", "its own AES key (with `keyed`), hexadecimal")),
          uidRule: oneOf(UID_RULES, "whether its bare number, which anyone can copy, opens"),
          pin: Type.Optional(Type.String({ pattern: "^[0-9]{4,8}$", description: "its PIN" })),
        },
        { ...strict, description: "instead of a phone" },
      ),
    ),
  },
  strict,
);
export const GrantSchema: TSchema = Type.Object(
  {
    grant: Type.String({ description: "its id" }),
    booking: Type.String({ description: "the booking that gives it" }),
    vehicle: Type.String({ description: "the car" }),
    actions,
    state: oneOf(
      ["pending", "active", "revoking", "revoked"],
      "`pending` and `revoking`: the car has not confirmed it yet",
    ),
    listVersion: Type.Optional(
      Type.Integer({ description: "the first list of the car that shows it so" }),
    ),
    confirmedListVersion: Type.Integer({ description: "the list that the car has confirmed" }),
  },
  { ...strict, description: `at most ${GRANTS_MAX} of a car are in force at a time` },
);
export const CarriedSchema: TSchema = Type.Object(
  { carried: Type.String({ description: "for the phone, base64url" }) },
  strict,
);
