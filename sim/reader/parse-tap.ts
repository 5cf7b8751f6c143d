/** What the cockpit may hold to the reader, as JSON: numbers and keys in hexadecimal, a carried grant in base64url. */
import { fromHex, GRANT_ACTIONS, type GrantAction, PIN_PATTERN } from "@kerbside/protocol";
import type { CardTap, PhoneTap } from "./reader.ts";

type Parsed =
  | { readonly ok: true; readonly tap: CardTap | PhoneTap }
  | { readonly ok: false; readonly problem: string };

const UID = /^(?:[0-9a-f]{8}|[0-9a-f]{14}|[0-9a-f]{20})$/i;
const CARD_KEY = /^[0-9a-f]{32}$/i;
const SEED = /^[0-9a-f]{64}$/i;
const CARRIED = /^[A-Za-z0-9_-]{1,1400}$/;
const FIELDS = {
  card: ["kind", "uid", "key", "pin"],
  phone: ["kind", "seed", "action", "carried"],
};

const wrong = (problem: string): Parsed => ({ ok: false, problem });
const isAction = (value: string): value is GrantAction =>
  (GRANT_ACTIONS as readonly string[]).includes(value);

/** All values are texts; one that is empty counts as left out. */
export function parseTap(body: unknown): Parsed {
  if (typeof body !== "object" || body === null) return wrong("expected a JSON object");
  const given = Object.entries(body).filter(([, value]) => value !== "");
  const texts = new Map<string, string>();
  for (const [name, value] of given) {
    if (typeof value !== "string") return wrong(`${name}: expected text`);
    texts.set(name, value);
  }
  const kind = texts.get("kind");
  if (kind !== "card" && kind !== "phone") return wrong("kind: expected card or phone");
  const stray = [...texts.keys()].find((name) => !FIELDS[kind].includes(name));
  if (stray !== undefined) return wrong(`${stray}: a ${kind} has none`);
  return kind === "card" ? card(texts) : phone(texts);
}

function card(texts: ReadonlyMap<string, string>): Parsed {
  const [uid, key, pin] = [texts.get("uid") ?? "", texts.get("key"), texts.get("pin")];
  if (!UID.test(uid)) return wrong("uid: expected 4, 7 or 10 bytes in hexadecimal");
  if (key !== undefined && !CARD_KEY.test(key))
    return wrong("key: expected 16 bytes in hexadecimal");
  if (pin !== undefined && !PIN_PATTERN.test(pin)) return wrong("pin: expected 4 to 8 digits");
  return {
    ok: true,
    tap: {
      kind: "card",
      uid: fromHex(uid),
      ...(key === undefined ? {} : { key: fromHex(key) }),
      ...(pin === undefined ? {} : { pin }),
    },
  };
}

function phone(texts: ReadonlyMap<string, string>): Parsed {
  const [seed, action, carried] = [
    texts.get("seed") ?? "",
    texts.get("action") ?? "unlock_and_release",
    texts.get("carried"),
  ];
  if (!SEED.test(seed)) return wrong("seed: expected 32 bytes in hexadecimal");
  if (!isAction(action)) return wrong(`action: expected one of ${GRANT_ACTIONS.join(", ")}`);
  if (carried !== undefined && !CARRIED.test(carried))
    return wrong("carried: expected a grant in base64url");
  return {
    ok: true,
    tap: {
      kind: "phone",
      seed: fromHex(seed),
      action,
      ...(carried === undefined
        ? {}
        : { carried: Uint8Array.from(Buffer.from(carried, "base64url")) }),
    },
  };
}
