/** A card's challenge and the derivation of its key, against published examples and against itself. */
import {
  askCard,
  type CardChip,
  type CardStep,
  diversifiedCardKey,
  fromHex,
  heardCard,
  randomBytes,
  stepCardChip,
  toHex,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("a card's key is derived as in the example of NXP AN10922 § 2.2.1", () => {
  const key = diversifiedCardKey(
    fromHex("00112233445566778899AABBCCDDEEFF"),
    fromHex("04782E21801D80"),
    fromHex("3042F5"),
    fromHex("4E585020416275"),
  );
  assert.is(toHex(key), "a8dd63a3b89d54b37ca802473fda9175");
  assert.throws(() => diversifiedCardKey(key, randomBytes(10), randomBytes(3), randomBytes(19)));
  assert.is(diversifiedCardKey(key, randomBytes(10), randomBytes(3), randomBytes(18)).length, 16);
});

test("the passes are those recorded with a real card under the zero key", () => {
  const begun = askCard(new Uint8Array(16), fromHex("F44B26F5686F3A391CD38EBD10772281"));
  const selected = heardCard(begun.next, fromHex("00"));
  assert.ok(selected.value === "say");
  const proof = heardCard(selected.next, fromHex("AFB969FDFE56FD91FC9DE6F6F213B8FD1E"));
  assert.ok(proof.value === "say");
  assert.is(
    toHex(proof.data),
    "af36aad7df6e436ba08d18613830a70d5ad43e3d3f4a8d47541eee623a934e4774",
  );
  assert.equal(heardCard(proof.next, fromHex("00800DB680BC146BD121D6578F2D2E2059")), {
    value: "authentic",
  });
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
