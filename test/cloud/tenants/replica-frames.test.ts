/** What is said between the two sides of a replica: what is none of it is refused, whoever sent it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeFrame, FrameReader, replicaWriter } from "@kerbside/tenants";
import { test } from "uvu";
import * as assert from "uvu/assert";

const frame = (head: unknown, lengths?: readonly [number, number]): Uint8Array => {
  const text = Buffer.from(typeof head === "string" ? head : JSON.stringify(head));
  const [first, second] = lengths ?? [text.length, 0];
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(first, 0);
  bytes.writeUInt32BE(second, 4);
  return Buffer.concat([bytes, text]);
};

test("what a primary may not say is refused, and what comes in pieces is put together", () => {
  const base = mkdtempSync(join(tmpdir(), "kerbside-frames-"));
  const refused: readonly { readonly why: string; readonly bytes: Uint8Array }[] = [
    { why: "a path that climbs", bytes: frame({ do: "put", path: "../x.sqlite", last: true }) },
    { why: "an absolute path", bytes: frame({ do: "begin", path: "/etc/x.sqlite" }) },
    { why: "a tenant that climbs", bytes: frame({ do: "takeIn", path: "tenants/../x.sqlite" }) },
    { why: "another file", bytes: frame({ do: "put", path: "authorized_keys", last: true }) },
    { why: "a directory that climbs", bytes: frame({ do: "keep", names: [".."] }) },
    { why: "a place before the log", bytes: frame({ do: "append", path: "store.sqlite", at: -1 }) },
    { why: "an order that is none", bytes: frame({ do: "run" }) },
    { why: "no order at all", bytes: frame("null") },
    { why: "no JSON", bytes: frame("{") },
    { why: "a head of 4 GB", bytes: frame("", [2 ** 32 - 1, 0]) },
    { why: "bytes of 4 GB", bytes: frame("", [2, 2 ** 32 - 1]) },
  ];
  for (const { why, bytes } of refused)
    assert.throws(() => [...new FrameReader().take(bytes)], /replica: /, why);
  const content = Uint8Array.of(1, 2, 3);
  const sent = Buffer.concat([
    encodeFrame({ do: "stage", stage: "production", session: "0".repeat(32) }),
    encodeFrame({ do: "put", path: "vault-a.sealed", last: false }, content),
    encodeFrame({ do: "put", path: "vault-a.sealed", last: true }, content),
    encodeFrame({ do: "round" }),
  ]);
  const reader = new FrameReader();
  const write = replicaWriter(join(base, "pieces"), "production");
  const done = [...sent].flatMap((byte) => [...reader.take(Uint8Array.of(byte))].map(write));
  assert.equal(done, [false, false, false, true]);
  assert.equal([...readFileSync(join(base, "pieces", "vault-a.sealed"))], [1, 2, 3, 1, 2, 3]);
  rmSync(base, { recursive: true, force: true });
});

test.run();
