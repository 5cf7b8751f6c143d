/** P-30: what is on the disk yields nothing: no plaintext in any encoding, no key that opens anything of the past. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Buffer as CarBuffer } from "@kerbside/buffer";
import {
  ackKeyOf,
  type Random,
  ratchetStart,
  rowKeyOf,
  segmentKeyOf,
  toHex,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ADDRESS } from "../../support/car-cloud.ts";
import { realRandom } from "../../support/runtime.ts";
import { type Bench, bench, drain } from "./harness.ts";

let b: Bench;
let buffer: CarBuffer;
test.before.each(async () => {
  b = await bench();
});
test.after.each(async () => {
  await buffer.close();
  b.remove();
});

function files(dir: string): { name: string; content: Buffer }[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? files(path) : [{ name, content: readFileSync(path) }];
  });
}

const VIN = "WVWZZZ1KZAW123456";
const LATITUDE = 52.52000659;
const LONGITUDE = 13.40495432;

test("P-30 nobody but its owner may read the buffer's files, also those of a release before", async () => {
  buffer = await b.open();
  const modes = (): string[] =>
    readdirSync(b.dir).map((name) => `${name} ${statSync(join(b.dir, name)).mode & 0o077}`);
  assert.ok(modes().length >= 2);
  for (const mode of modes()) assert.match(mode, / 0$/);
  await buffer.close();
  chmodSync(join(b.dir, "agent.sqlite"), 0o644);
  buffer = await b.open();
  for (const mode of modes()) assert.match(mode, / 0$/);
});

/** A text in the forms that a careless store could leave it in. */
function textForms(text: string): [string, Buffer][] {
  const utf8 = Buffer.from(text);
  // Base64 of a text inside another depends on its place; the middle of each of the three is enough.
  const base64 = [0, 1, 2].map((shift): [string, Buffer] => {
    const encoded = Buffer.concat([Buffer.alloc(shift), utf8]).toString("base64");
    return [`base64 at ${shift}`, Buffer.from(encoded.slice(4, -4))];
  });
  return [
    ["utf8", utf8],
    ["utf16le", Buffer.from(text, "utf16le")],
    ["utf16be", Buffer.from(text, "utf16le").swap16()],
    ["hex", Buffer.from(utf8.toString("hex"))],
    ["HEX", Buffer.from(utf8.toString("hex").toUpperCase())],
    ["reversed", Buffer.from([...text].reverse().join(""))],
    ...base64,
  ];
}

function numberForms(value: number): [string, Buffer][] {
  const forms: [string, Buffer][] = [8, 4].flatMap((size) =>
    [true, false].map((little): [string, Buffer] => {
      const view = new DataView(new ArrayBuffer(size));
      if (size === 8) view.setFloat64(0, value, little);
      else view.setFloat32(0, value, little);
      return [`float${size * 8}${little ? "le" : "be"}`, Buffer.from(view.buffer)];
    }),
  );
  const scaled = [1e6, 1e7].flatMap((scale) =>
    [true, false].map((little): [string, Buffer] => {
      const view = new DataView(new ArrayBuffer(4));
      view.setInt32(0, Math.round(value * scale), little);
      return [`int32 × ${scale} ${little ? "le" : "be"}`, Buffer.from(view.buffer)];
    }),
  );
  return [...forms, ...scaled, ["digits", Buffer.from(String(value).slice(0, 8))]];
}

function assertAbsent(when: string, needles: readonly [string, Buffer][]): void {
  for (const { name, content } of files(b.dir)) {
    for (const [form, needle] of needles) {
      assert.is(content.indexOf(needle), -1, `${form} in ${name} ${when}`);
    }
  }
}

test("P-30 no plaintext in database, WAL or any other file, in any encoding, at any moment", async () => {
  const needles = [...textForms(VIN), ...numberForms(LATITUDE), ...numberForms(LONGITUDE)];
  buffer = await b.open({ limits: { segmentEventsMax: 8 } });
  for (let i = 0; i < 50; i += 1) {
    void buffer.append({ kind: "diagnostic.note", data: { note: `${VIN} ${i}` } }, "critical");
    void buffer.append({
      kind: "position.sampled",
      data: { latitude: LATITUDE, longitude: LONGITUDE, speedKmh: 50 },
    });
    b.clock.pass(100);
    await Promise.resolve();
  }
  b.clock.pass(5000);
  assertAbsent("while it is open", needles);
  buffer.online(true);
  b.clock.pass(60_000);
  drain(buffer, b.cloud);
  assert.is(
    b.cloud.events().size,
    100,
    "the search looked at the right files: the tenant reads them",
  );
  assertAbsent("after forgetting", needles);
  await buffer.close();
  assertAbsent("after closing", needles);
});

test("P-30 the search finds plaintext where there is some", () => {
  mkdirSync(b.dir, { recursive: true });
  const [, needle] = textForms(VIN)[1] ?? ["", Buffer.alloc(0)];
  assert.ok(Buffer.concat([Buffer.alloc(10), needle]).includes(needle));
});

test("P-30 neither root nor ratchet nor row key ever reaches the disk", async () => {
  const made: Uint8Array[] = [];
  // The root is overwritten after use: what it was is kept here, and nowhere else.
  const random: Random = {
    ...realRandom,
    bytes: (count) => {
      const bytes = realRandom.bytes(count);
      made.push(Uint8Array.from(bytes));
      return bytes;
    },
  };
  buffer = await b.open({ random });
  const { log } = await buffer.append({ kind: "diagnostic.note", data: { note: "x" } }, "critical");
  const root = made.find((bytes) => bytes.length === 32);
  assert.ok(root !== undefined);
  const of = { ...ADDRESS, log };
  const secrets: [string, Buffer][] = [["root", Buffer.from(root)]];
  for (const lane of ["critical", "state", "track"] as const) {
    const ratchet = ratchetStart(root, of, lane);
    secrets.push([`ratchet of ${lane}`, Buffer.from(ratchet)]);
    secrets.push([`row key of ${lane}`, Buffer.from(rowKeyOf(ratchet))]);
    secrets.push([`segment key of ${lane}`, Buffer.from(segmentKeyOf(ratchet))]);
  }
  const both = secrets.flatMap(([what, key]): [string, Buffer][] => [
    [what, key],
    [`${what} in hex`, Buffer.from(toHex(key))],
  ]);
  assertAbsent("while it is open", both);
  await buffer.close();
  assertAbsent("after closing", both);
  const ackKey = Buffer.from(ackKeyOf(root, of));
  assert.ok(
    files(b.dir).some(({ content }) => content.includes(ackKey)),
    "the one key that may be",
  );
});

test.run();
