/**
 * How a card with a key shows that it is itself, both sides: mutual authentication in three passes under AES-128 as
 * DESFire EV1 and later do it (command 0xAA, "AuthenticateAES"), and the derivation of a card's own key from a key of
 * the tenant (NXP AN10922). Only the derived key ever leaves the cloud.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { concatBytes } from "./bytes.ts";
import { sameMac } from "./crypto.ts";
import { ProtocolError } from "./errors.ts";
import { CARD_KEY_BYTES } from "./grants.ts";

const BLOCK_BYTES = 16;
/** CMAC's constant for 128-bit blocks (NIST SP 800-38B § 5.3). */
const CMAC_R = 0x87;
/** DESFire native commands and status bytes. */
const AUTHENTICATE_AES = 0xaa;
const MORE = 0xaf;
const DONE = 0x00;
/** The application and the key in it that open cars. */
export const CARD_APPLICATION: Uint8Array = Uint8Array.of(0xf5, 0x4b, 0x53);
const CARD_KEY_NUMBER = 1;
const SELECT_APPLICATION = 0x5a;

function cbc(key: Uint8Array, iv: Uint8Array, data: Uint8Array, way: "to" | "from"): Uint8Array {
  const make = way === "to" ? createCipheriv : createDecipheriv;
  const cipher = make("aes-128-cbc", key, iv).setAutoPadding(false);
  return new Uint8Array(concatBytes(cipher.update(data), cipher.final()));
}

const ZERO = new Uint8Array(BLOCK_BYTES);
/** One byte to the left, the first behind the last. */
const rotated = (block: Uint8Array): Uint8Array =>
  concatBytes(block.subarray(1), block.subarray(0, 1));
const lastBlock = (data: Uint8Array): Uint8Array => data.subarray(data.length - BLOCK_BYTES);

function doubled(block: Uint8Array): Uint8Array {
  const carry = (block[0] ?? 0) & 0x80;
  const out = block.map((byte, index) => ((byte << 1) | ((block[index + 1] ?? 0) >> 7)) & 0xff);
  if (carry !== 0) out[BLOCK_BYTES - 1] = (out[BLOCK_BYTES - 1] ?? 0) ^ CMAC_R;
  return out;
}

const xored = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  a.map((byte, index) => byte ^ (b[index] ?? 0));

/**
 * AN10922 § 2.2: CMAC under the tenant's key over 0x01, the card's number, the application and the system id, filled
 * up to two blocks. Throws ProtocolError `malformed` where they are longer than 31 bytes.
 */
export function diversifiedCardKey(
  masterKey: Uint8Array,
  uid: Uint8Array,
  application: Uint8Array,
  system: Uint8Array,
): Uint8Array {
  const input = concatBytes(Uint8Array.of(0x01), uid, application, system);
  const room = 2 * BLOCK_BYTES;
  if (input.length > room)
    throw new ProtocolError("malformed", "card key: expected 31 bytes to derive from");
  const k1 = doubled(cbc(masterKey, ZERO, ZERO, "to"));
  const padded = new Uint8Array(room);
  padded.set(input);
  if (input.length < room) padded[input.length] = 0x80;
  const mask = input.length < room ? doubled(k1) : k1;
  padded.set(xored(padded.subarray(BLOCK_BYTES), mask), BLOCK_BYTES);
  return lastBlock(cbc(masterKey, ZERO, padded, "to")).slice();
}

/** What the car has to say next, or how it ended. `data` is to be handed to the card as it is. */
export type CardStep =
  | { readonly value: "say"; readonly data: Uint8Array; readonly next: CardAsk }
  | { readonly value: "authentic" }
  | { readonly value: "refused"; readonly reason: "not_understood" | "wrong_key" };
/** The car's side between two passes. */
export type CardAsk =
  | { readonly value: "selecting"; readonly key: Uint8Array; readonly rndA: Uint8Array }
  | { readonly value: "challenged"; readonly key: Uint8Array; readonly rndA: Uint8Array }
  | { readonly value: "proving"; readonly expected: Uint8Array };

const NOT_UNDERSTOOD: CardStep = { value: "refused", reason: "not_understood" };

/** Begins: selects the application. `rndA` is 16 fresh random bytes. */
export function askCard(key: Uint8Array, rndA: Uint8Array): Extract<CardStep, { value: "say" }> {
  if (key.length !== CARD_KEY_BYTES || rndA.length !== BLOCK_BYTES)
    throw new ProtocolError("malformed", "card: expected a key and a nonce of 16 bytes");
  const data = concatBytes(Uint8Array.of(SELECT_APPLICATION), CARD_APPLICATION);
  return { value: "say", data, next: { value: "selecting", key, rndA } };
}

/** Takes the card's answer. Pure; a card that does not know the key never comes to `authentic`. */
export function heardCard(ask: CardAsk, answer: Uint8Array): CardStep {
  const status = answer[0];
  const data = answer.subarray(1);
  switch (ask.value) {
    case "selecting": {
      if (status !== DONE || data.length > 0) return NOT_UNDERSTOOD;
      const say = Uint8Array.of(AUTHENTICATE_AES, CARD_KEY_NUMBER);
      return { value: "say", data: say, next: { ...ask, value: "challenged" } };
    }
    case "challenged": {
      if (status !== MORE || data.length !== BLOCK_BYTES) return NOT_UNDERSTOOD;
      const { key, rndA } = ask;
      const rndB = cbc(key, ZERO, data, "from");
      const proof = cbc(key, data, concatBytes(rndA, rotated(rndB)), "to");
      const expected = cbc(key, lastBlock(proof), rotated(rndA), "to");
      const say = concatBytes(Uint8Array.of(MORE), proof);
      return { value: "say", data: say, next: { value: "proving", expected } };
    }
    case "proving":
      return status === DONE && sameMac(data, ask.expected)
        ? { value: "authentic" }
        : { value: "refused", reason: "wrong_key" };
  }
}

/** The card's side, for simulators and tests. */
export type CardChip =
  | { readonly value: "idle" }
  | { readonly value: "selected" }
  | { readonly value: "challenging"; readonly rndB: Uint8Array; readonly sent: Uint8Array };
/** DESFire status bytes: application not found, authentication error, illegal command. */
const CHIP_ERRORS = { noApplication: 0xa0, authentication: 0xae, command: 0x1c } as const;

/** One command to the card and its answer. `rndB` is 16 fresh random bytes. */
export function stepCardChip(
  chip: CardChip,
  command: Uint8Array,
  key: Uint8Array,
  rndB: Uint8Array,
): { readonly chip: CardChip; readonly answer: Uint8Array } {
  const data = command.subarray(1);
  const fail = (code: number): ReturnType<typeof stepCardChip> => ({
    chip: { value: "idle" },
    answer: Uint8Array.of(code),
  });
  if (command[0] === SELECT_APPLICATION) {
    if (!sameMac(data, CARD_APPLICATION)) return fail(CHIP_ERRORS.noApplication);
    return { chip: { value: "selected" }, answer: Uint8Array.of(DONE) };
  }
  if (command[0] === AUTHENTICATE_AES && chip.value === "selected") {
    const sent = cbc(key, ZERO, rndB, "to");
    const answer = concatBytes(Uint8Array.of(MORE), sent);
    return { chip: { value: "challenging", rndB, sent }, answer };
  }
  if (command[0] === MORE && chip.value === "challenging" && data.length === 2 * BLOCK_BYTES) {
    const plain = cbc(key, chip.sent, data, "from");
    if (!sameMac(plain.subarray(BLOCK_BYTES), rotated(chip.rndB)))
      return fail(CHIP_ERRORS.authentication);
    const proof = cbc(key, lastBlock(data), rotated(plain.subarray(0, BLOCK_BYTES)), "to");
    return { chip: { value: "selected" }, answer: concatBytes(Uint8Array.of(DONE), proof) };
  }
  return fail(CHIP_ERRORS.command);
}
