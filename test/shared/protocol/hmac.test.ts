/** HMAC-SHA-256 against the vectors of RFC 4231 and against Node's own, at every length of key and data. */
import { createHmac } from "node:crypto";
import { fromHex, hmac, toHex, utf8 } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const VECTORS: readonly (readonly [why: string, key: Uint8Array, data: Uint8Array, mac: string])[] =
  [
    [
      "RFC 4231 § 4.2",
      fromHex("0b".repeat(20)),
      utf8("Hi There"),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ],
    [
      "RFC 4231 § 4.3, a short key",
      utf8("Jefe"),
      utf8("what do ya want for nothing?"),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ],
    [
      "RFC 4231 § 4.7, a key longer than a block",
      fromHex("aa".repeat(131)),
      utf8("Test Using Larger Than Block-Size Key - Hash Key First"),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ],
  ];
for (const [why, key, data, mac] of VECTORS) {
  test(`HMAC: ${why}`, () => assert.is(toHex(hmac(key, data)), mac));
}

test("HMAC is Node's own at every length of key and data up to two blocks", () => {
  for (let keyBytes = 0; keyBytes <= 130; keyBytes += 1) {
    for (const dataBytes of [0, 1, 55, 56, 63, 64, 65, 128]) {
      const key = Uint8Array.from({ length: keyBytes }, (_, i) => (i * 7 + keyBytes) & 0xff);
      const data = Uint8Array.from({ length: dataBytes }, (_, i) => (i * 11 + 3) & 0xff);
      const expected = createHmac("sha256", key).update(data).digest("hex");
      assert.is(toHex(hmac(key, data)), expected, `${keyBytes} and ${dataBytes} bytes`);
    }
  }
});

test.run();
