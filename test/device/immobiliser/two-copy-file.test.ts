/** The small record byte by byte: what is on the disk, which copy counts, and what is no copy. */
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCarRecord, openTwoCopyFile, readTwoCopyFile } from "@kerbside/immobiliser";
import { concatBytes, sha256, toHex, uint64, utf8 } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../../house/sources.ts";
import { needs } from "../../support/debian.ts";

async function inFolder(work: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-two-copy-"));
  try {
    await work(join(folder, "deep", "record"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A copy as it lies on the disk. */
function copyOf(sequence: number, content: string, magic = "KB2C"): Uint8Array {
  const bytes = utf8(content);
  const head = concatBytes(utf8(magic), uint64(sequence), uint64(bytes.length), bytes);
  return concatBytes(head, sha256(head));
}

function lay(path: string, a: Uint8Array | undefined, b?: Uint8Array): void {
  mkdirSync(join(path, ".."), { recursive: true });
  if (a !== undefined) writeFileSync(`${path}.a`, a);
  if (b !== undefined) writeFileSync(`${path}.b`, b);
}

const textOf = (content: Uint8Array | undefined): string | undefined =>
  content === undefined ? undefined : new TextDecoder().decode(content);

test("a fresh one is empty and sound; its files and its folder are their owner's alone", () =>
  inFolder(async (path) => {
    const file = await openTwoCopyFile(path);
    assert.is(file.content, undefined);
    assert.is(file.damaged, false);
    for (const suffix of [".a", ".b"]) assert.is(statSync(path + suffix).mode & 0o777, 0o600);
    assert.is(statSync(join(path, "..")).mode & 0o777, 0o700);
    await file.close();
    assert.is(await readTwoCopyFile(path), undefined);
  }));

test("writes go to both in turn, the first copy first; golden bytes", () =>
  inFolder(async (path) => {
    const file = await openTwoCopyFile(path);
    await file.write(utf8("one"));
    const head = `4b423243${"0000000000000001"}${"0000000000000003"}6f6e65`;
    const sum = toHex(sha256(Buffer.from(head, "hex")));
    assert.is(readFileSync(`${path}.a`).toString("hex"), head + sum);
    const blank = `4b423243${"00".repeat(16)}`;
    const blankSum = toHex(sha256(Buffer.from(blank, "hex")));
    assert.is(readFileSync(`${path}.b`).toString("hex"), blank + blankSum, "whole, and before all");
    await file.write(utf8("two"));
    assert.equal(Uint8Array.from(readFileSync(`${path}.b`)), copyOf(2, "two"));
    await file.write(utf8("three"));
    assert.equal(Uint8Array.from(readFileSync(`${path}.a`)), copyOf(3, "three"));
    assert.equal(Uint8Array.from(readFileSync(`${path}.b`)), copyOf(2, "two"));
    await file.close();
    assert.is(textOf(await readTwoCopyFile(path)), "three");
  }));

test("opened again, the next write spares the newest copy and counts on from it", () =>
  inFolder(async (path) => {
    for (const [a, b, spared] of [
      [copyOf(7, "seven"), copyOf(8, "eight"), ".b"],
      [copyOf(9, "nine"), copyOf(8, "eight"), ".a"],
    ] as const) {
      lay(path, a, b);
      const before = Uint8Array.from(readFileSync(path + spared));
      const file = await openTwoCopyFile(path);
      assert.is(textOf(file.content), spared === ".b" ? "eight" : "nine");
      await file.write(utf8("next"));
      await file.close();
      assert.equal(Uint8Array.from(readFileSync(path + spared)), before);
      const other = spared === ".b" ? ".a" : ".b";
      const sequence = spared === ".b" ? 9 : 10;
      const written = Uint8Array.from(readFileSync(path + other)).subarray(0, 56);
      assert.equal(written, copyOf(sequence, "next"));
    }
  }));

test("a shorter content over a longer one is read as it is", () =>
  inFolder(async (path) => {
    lay(path, copyOf(1, "a long content that was there"), copyOf(2, "b"));
    const file = await openTwoCopyFile(path);
    await file.write(utf8("c"));
    await file.close();
    assert.is(textOf(await readTwoCopyFile(path)), "c");
  }));

const WHOLE = copyOf(5, "whole");
const changed = (at: number): Uint8Array => WHOLE.map((byte, i) => (i === at ? byte ^ 1 : byte));
const BROKEN: readonly { readonly why: string; readonly bytes: Uint8Array }[] = [
  { why: "one byte short", bytes: WHOLE.subarray(0, -1) },
  { why: "too short for a head", bytes: WHOLE.subarray(0, 51) },
  { why: "another magic", bytes: copyOf(5, "whole", "KB2D") },
  ...[0, 3, 4, 11, 12, 19, 20, 24, 25, 56].map((at) => ({
    why: `byte ${at} changed`,
    bytes: changed(at),
  })),
  { why: "a length beyond all bounds", bytes: copyOf(5, "x".repeat(64 * 1024 + 1)) },
];
for (const { why, bytes } of BROKEN)
  test(`no copy: ${why}`, () =>
    inFolder(async (path) => {
      lay(path, bytes);
      assert.is(await readTwoCopyFile(path), undefined);
      const alone = await openTwoCopyFile(path);
      assert.is(alone.content, undefined);
      assert.is(alone.damaged, true, "there was something");
      await alone.write(utf8("anew"));
      await alone.close();
      assert.is(textOf(await readTwoCopyFile(path)), "anew");
      lay(path, copyOf(2, "older"), bytes);
      const other = await openTwoCopyFile(path);
      assert.is(textOf(other.content), "older");
      assert.is(other.damaged, false, "the other copy counts");
      await other.close();
    }));

test("an empty content is a content, and one at the bound is the longest", () =>
  inFolder(async (path) => {
    const file = await openTwoCopyFile(path, 4);
    await file.write(new Uint8Array());
    assert.is(textOf(await readTwoCopyFile(path)), "");
    await file.write(utf8("four"));
    const refused = await file.write(utf8("fives")).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.instance(refused, RangeError);
    await file.close();
    assert.is(textOf(await readTwoCopyFile(path, 4)), "four");
    assert.is(textOf(await readTwoCopyFile(path, 3)), "", "what is too long is no copy");
    const again = await openTwoCopyFile(path, 3);
    assert.is(textOf(again.content), "");
    await again.close();
  }));

test("many at once are written one after the other, and the last one counts", () =>
  inFolder(async (path) => {
    const file = await openTwoCopyFile(path);
    await Promise.all(Array.from({ length: 20 }, (_, i) => file.write(utf8(`${i}`))));
    await file.close();
    assert.equal(Uint8Array.from(readFileSync(`${path}.b`)), copyOf(20, "19").slice(0, 54));
    assert.is(textOf(await readTwoCopyFile(path)), "19");
  }));

test("long ones at once are written one after the other too, and closing waits for all of them", () =>
  inFolder(async (path) => {
    const file = await openTwoCopyFile(path);
    const contents = ["x", "y", "z"].map((letter) => letter.repeat(40_000));
    const written = Promise.all(contents.map((content) => file.write(utf8(content))));
    await file.close();
    await written;
    assert.is(textOf(await readTwoCopyFile(path)), contents[2]);
    rmSync(`${path}.a`);
    assert.is(textOf(await readTwoCopyFile(path)), contents[1]);
  }));

test("a file that is there and cannot be opened is an error, never a fresh one", () =>
  inFolder(async (path) => {
    const made = await openTwoCopyFile(path);
    await made.close();
    for (const suffix of [".a", ".b"]) {
      rmSync(path + suffix);
      // It leads to itself: whoever opens it is told ELOOP.
      symlinkSync(path + suffix, path + suffix);
    }
    const told = await openTwoCopyFile(path).then(
      () => "opened",
      (error: unknown) => String(error),
    );
    assert.match(told, /ELOOP/);
  }));

test("closing waits for what is being written, and after it nothing can be", () =>
  inFolder(async (path) => {
    const file = await openTwoCopyFile(path);
    const written = file.write(utf8("late"));
    await file.close();
    await written;
    assert.is(textOf(await readTwoCopyFile(path)), "late");
    const failed = (): Promise<boolean> =>
      file.write(utf8("more")).then(
        () => false,
        () => true,
      );
    assert.is(await failed(), true);
    assert.is(await failed(), true, "a failure does not stand in the way of the next");
  }));

test("a long copy lies on the disk like a short one, on both sides of what is written at once", () =>
  inFolder(async (path) => {
    const file = await openTwoCopyFile(path);
    const lengths = [16 * 1024 - 53, 16 * 1024 - 52, 16 * 1024 - 51, 40_000];
    for (const [i, length] of lengths.entries()) {
      const content = "x".repeat(length);
      await file.write(utf8(content));
      const bytes = Uint8Array.from(readFileSync(`${path}${i % 2 === 0 ? ".a" : ".b"}`));
      assert.is(toHex(bytes.slice(0, length + 52)), toHex(copyOf(i + 1, content)), `${length}`);
    }
    await file.close();
  }));

for (const bytes of [12_000, 40_000])
  test(`a disk that takes only a part of ${bytes} bytes has not taken them, and what was before counts`, () =>
    inFolder(async (path) => {
      const program = `
        import { execFileSync } from "node:child_process";
        import { openTwoCopyFile } from "@kerbside/immobiliser";
        const file = await openTwoCopyFile(${JSON.stringify(path)});
        await file.write(Buffer.from("before"));
        const told = async (length) =>
          file.write(new Uint8Array(length)).then(() => "written", () => "refused");
        console.log(await told(${bytes}), await told(100), await told(${bytes}));
        // So that what was reached can be written down at the end.
        execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=unlimited"]);
      `;
      // No file may become longer than 8 KiB: a write beyond that is cut short, as on a disk that becomes full.
      const line = 'ulimit -S -f 8; exec "$0" --input-type=module --eval "$1"';
      const run = ["-c", line, process.execPath, program];
      const { stdout, stderr } = spawnSync("bash", run, { cwd: root, encoding: "utf8" });
      assert.is(stdout, "refused written refused\n", stderr);
      assert.is(toHex((await readTwoCopyFile(path)) ?? new Uint8Array()), "00".repeat(100));
    }));

test("a file that was made and not written is none; one byte or none at all is what is left of one", () =>
  inFolder(async (path) => {
    const made = await openTwoCopyFile(path);
    await made.close();
    assert.equal(readdirSync(join(path, "..")), ["record.a", "record.b"], "nothing is left over");
    const again = await openTwoCopyFile(path);
    assert.equal([again.content, again.damaged], [undefined, false]);
    await again.close();
    const rows: readonly (readonly [Uint8Array | undefined, Uint8Array | undefined])[] = [
      [Uint8Array.of(7), undefined],
      [new Uint8Array(), new Uint8Array()],
      [new Uint8Array(), undefined],
      [undefined, new Uint8Array()],
      [copyOf(0, ""), new Uint8Array()],
    ];
    for (const [a, b] of rows) {
      for (const suffix of [".a", ".b"]) rmSync(path + suffix);
      lay(path, a, b);
      const damaged = await openTwoCopyFile(path);
      assert.equal([damaged.content, damaged.damaged], [undefined, true]);
      await damaged.close();
      const stays = await openTwoCopyFile(path);
      assert.is(stays.damaged, true, "until it is written");
      await stays.write(utf8("anew"));
      await stays.close();
      const mended = await openTwoCopyFile(path);
      assert.equal([textOf(mended.content), mended.damaged], ["anew", false]);
      await mended.close();
    }
  }));

test("a power cut between making the two leaves none, and no damage", () =>
  inFolder(async (path) => {
    lay(path, copyOf(0, ""));
    writeFileSync(`${path}.b.new`, "half of");
    const file = await openTwoCopyFile(path);
    assert.equal([file.content, file.damaged], [undefined, false]);
    await file.write(utf8("one"));
    await file.close();
    assert.is(textOf(await readTwoCopyFile(path)), "one");
  }));

needs("strace")("a disk that gives no copy leaves the rental unknown, not none", () =>
  inFolder(async (path) => {
    const record = await openCarRecord(path);
    const rental = { value: "open", booking: "b-1", openedBy: "card", phase: "parked" } as const;
    await record.keepRental(rental);
    await record.keepRental({ ...rental, phase: "driving" });
    await record.close();
    const program = `
      import { openCarRecord } from "@kerbside/immobiliser";
      const record = await openCarRecord(${JSON.stringify(path)});
      console.log(record.damaged, record.rental().value);
    `;
    const files = ["-P", `${path}.a`, "-P", `${path}.b`];
    const fails = ["-e", "trace=read,pread64", "-e", "inject=read,pread64:error=EIO"];
    const node = [process.execPath, "--input-type=module", "--eval", program];
    const run = ["-f", "-qq", "-o", "/dev/null", ...files, ...fails, ...node];
    const { stdout, stderr } = spawnSync("strace", run, { cwd: root, encoding: "utf8" });
    assert.is(stdout, "true unknown\n", stderr);
    const well = await openCarRecord(path);
    assert.equal(
      [well.damaged, well.rental().value],
      [false, "open"],
      "nothing was written over it",
    );
    await well.close();
  }),
);

test.run();
