/** A card's challenge and the derivation of its key, against published examples and against itself. */
import {
  askCard,
  type CardChip,
  type CardStep,
  diversifiedCardKey,
  heardCard,
  randomBytes,
  stepCardChip,
  toHex,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { vector } from "./vectors.ts";

test("a card's key is derived as in the example of NXP AN10922 § 2.2.1", () => {
  const v = vector("card-key");
  const key = diversifiedCardKey(
    v.hex("master key"),
    v.hex("uid"),
    v.hex("application"),
    v.hex("system"),
  );
  assert.is(toHex(key), v.text("key"));
  assert.throws(() => diversifiedCardKey(key, randomBytes(10), randomBytes(3), randomBytes(19)));
  assert.is(diversifiedCardKey(key, randomBytes(10), randomBytes(3), randomBytes(18)).length, 16);
});

test("the passes are those recorded with a real card under the zero key", () => {
  const v = vector("card-authentication");
  const begun = askCard(v.hex("key"), v.hex("rndA"));
  const selected = heardCard(begun.next, Uint8Array.of(0));
  assert.ok(selected.value === "say");
  const proof = heardCard(selected.next, v.hex("challenge"));
  assert.ok(proof.value === "say");
  assert.is(toHex(proof.data), v.text("proof"));
  assert.equal(heardCard(proof.next, v.hex("answer")), { value: "authentic" });
});

/** Car and card speak until it is decided; `spoil` may change what the card says. */
function speak(
  carKey: Uint8Array,
  cardKey: Uint8Array,
  spoil: (answer: Uint8Array, pass: number) => Uint8Array = (answer) => answer,
): CardStep["value"] {
  let step: CardStep = askCard(carKey, randomBytes(16));
  let chip: CardChip = { value: "idle" };
  for (let pass = 0; step.value === "say"; pass += 1) {
    const said = stepCardChip(chip, step.data, cardKey, randomBytes(16));
    chip = said.chip;
    step = heardCard(step.next, spoil(said.answer, pass));
  }
  return step.value;
}

test("only the card that knows the key comes through, whatever bit of its answers is changed", () => {
  const key = randomBytes(16);
  assert.is(speak(key, key), "authentic");
  assert.is(speak(key, randomBytes(16)), "refused");
  for (let pass = 0; pass < 3; pass += 1) {
    const bits = pass === 0 ? 8 : 17 * 8;
    for (let bit = 0; bit < bits; bit += 1) {
      const flip = (answer: Uint8Array, at: number): Uint8Array =>
        at === pass
          ? answer.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
          : answer;
      assert.is(speak(key, key, flip), "refused", `pass ${pass}, bit ${bit}`);
    }
  }
});

test("an answer recorded before proves nothing now", () => {
  const key = randomBytes(16);
  const heard: Uint8Array[] = [];
  speak(key, key, (answer) => {
    heard.push(answer);
    return answer;
  });
  assert.is(
    speak(key, key, (_, pass) => heard[pass] ?? new Uint8Array()),
    "refused",
  );
});

test.run();
