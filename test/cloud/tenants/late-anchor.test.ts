/** P-51: a head that is anchored a moment later is anchored within the 10 s, whatever comes between. */
import { ProtocolError } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LateAnchor } from "../../../cloud/tenants/late-anchor.ts";
import { until } from "../../support/wait.ts";

const headOf = (seq: number) => ({ seq, hash: new Uint8Array(32), keyVersion: 1 });

test("P-51 a head that could not be kept is tried again, although no other one follows", async () => {
  const kept: number[] = [];
  let tries = 0;
  const late = new LateAnchor(({ seq }) => {
    tries += 1;
    if (tries <= 2) throw new ProtocolError("storage_failed", "the disk is full");
    kept.push(seq);
  });
  late.anchor(headOf(1));
  await until("it was kept", () => kept.length > 0);
  assert.equal([kept, tries], [[1], 3]);
  late.settle();
  assert.is(tries, 3, "once");
});

test("P-51 only a head that was kept stands for one that waits", () => {
  const kept: number[] = [];
  const late = new LateAnchor(({ seq }) => kept.push(seq));
  late.anchor(headOf(1));
  late.stoodFor(headOf(2));
  late.settle();
  late.anchor(headOf(3));
  late.settle();
  assert.equal(kept, [3]);
});

test.run();
