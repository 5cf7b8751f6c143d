/** The small things about bytes that checks rest on: a difference anywhere is a difference. */
import { concatBytes, equalBytes, fromHex, toHex, uint64, utf8 } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("bytes are equal only where every one of them is, and none is left over", () => {
  const a = Uint8Array.of(1, 2, 3, 4, 5);
  assert.is(equalBytes(a, Uint8Array.from(a)), true);
  assert.is(equalBytes(new Uint8Array(), new Uint8Array()), true);
  for (let at = 0; at < a.length; at += 1) {
    const other = Uint8Array.from(a);
    other[at] = 9;
    assert.is(equalBytes(a, other), false, `byte ${at}`);
  }
  assert.is(equalBytes(a, a.subarray(1)), false);
  assert.is(equalBytes(a.subarray(0, 4), a), false);
});

test("hexadecimal digits, both cases in, small ones out, nothing else", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  assert.equal(fromHex(toHex(all)), all);
  assert.is(toHex(Uint8Array.of(0, 10, 255)), "000aff");
  assert.equal(fromHex("000AfF"), Uint8Array.of(0, 10, 255));
  assert.equal(fromHex(""), new Uint8Array());
  for (const bad of ["0", "0g", "g0", " 00", "00 ", "0x00", "-1", "00\n"])
    assert.throws(() => fromHex(bad), /expected hexadecimal digits/, JSON.stringify(bad));
});

test("an unsigned number of 64 bits, to the largest safe one", () => {
  for (const value of [
    0,
    1,
    255,
    256,
    0x0102_0304_0506,
    0x1f_ffff_ff00_0001,
    Number.MAX_SAFE_INTEGER,
  ])
    assert.is(toHex(uint64(value)), value.toString(16).padStart(16, "0"));
});

test("parts are joined in their order; text is UTF-8", () => {
  assert.equal(concatBytes(utf8("a"), new Uint8Array(), utf8("é")), Uint8Array.of(97, 0xc3, 0xa9));
  assert.equal(concatBytes(), new Uint8Array());
});

test.run();
