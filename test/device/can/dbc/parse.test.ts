import { compileDbc, DbcError, formatProblem, parseDbc } from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";

const GOOD = 'BO_ 5 Good: 8 A\n SG_ good : 0|8@1+ (1,0) [0|0] "" A\n';

/** Each bad line stands between two good messages, both of which must survive it. */
const BAD_LINES: { why: string; line: string; says: string }[] = [
  {
    why: "a signal without a length",
    line: ' SG_ bad : 0@1+ (1,0) [0|0] "" A',
    says: 'x.dbc:4:13: error: expected "|", found "@1+ (1,0) [0|0] \\"\\" A"',
  },
  {
    why: "a byte order that is none",
    line: ' SG_ bad : 0|8@2+ (1,0) [0|0] "" A',
    says: 'x.dbc:4:16: error: expected 0 (Motorola) or 1 (Intel), found "2+ (1,0) [0|0] \\"\\" A"',
  },
  {
    why: "a unit without a closing quote",
    line: ' SG_ bad : 0|8@1+ (1,0) [0|0] "km A',
    says: "x.dbc:4:31: error: a unit in quotes has no closing quote",
  },
  {
    why: "no bits",
    line: ' SG_ bad : 0|0@1+ (1,0) [0|0] "" A',
    says: "x.dbc:4:12: error: a length of 0 bits is not within 1 to 512",
  },
  {
    why: "a factor beyond doubles",
    line: ' SG_ bad : 0|8@1+ (1e999,0) [0|0] "" A',
    says: "x.dbc:4:20: error: a factor 1e999 is out of range",
  },
  {
    why: "a role that is none",
    line: ' SG_ bad x1 : 0|8@1+ (1,0) [0|0] "" A',
    says: 'x.dbc:4:10: error: "x1" is no multiplexing role',
  },
  {
    why: "a statement that is none",
    line: "WHAT_ 1 2 3;",
    says: 'x.dbc:4:1: error: expected a statement, found "WHAT_ 1 2 3;"',
  },
  {
    why: "a message id that is no number",
    line: "BO_ x Bad: 8 A",
    says: 'x.dbc:4:5: error: expected a message id, found "x Bad: 8 A"',
  },
  {
    why: "an id beyond 29 bits",
    line: "BO_ 4294967295 Bad: 8 A",
    says: "x.dbc:4:5: error: message id 4294967295 has more than 29 bits beside its flag",
  },
  {
    why: "a value table without its word",
    line: "VAL_ 5 good 1 ;",
    says: 'x.dbc:4:15: error: expected a word in quotes, found ";"',
  },
];
for (const { why, line, says } of BAD_LINES) {
  test(`a bad line costs that line: ${why}`, () => {
    const text = `${GOOD}\n${line}\n${GOOD.replaceAll("5", "6")}`;
    const dbc = parseDbc(text, { file: "x.dbc" });
    assert.equal(dbc.problems.map(formatProblem), [says]);
    assert.equal(
      dbc.messages.map((m) => [m.id, m.signals.length]),
      [
        [5, 1],
        [6, 1],
      ],
    );
    assert.throws(
      () => parseDbc(text, { file: "x.dbc", strict: true }),
      (e: unknown) => e instanceof DbcError && e.message === says,
    );
  });
}

test("signals after a message that was not understood are reported, not given to another", () => {
  const dbc = parseDbc(`${GOOD}BO_ bad\n SG_ lost : 0|8@1+ (1,0) [0|0] "" A\n`);
  assert.equal(
    dbc.problems.map((p) => p.line),
    [3, 4],
  );
  assert.is(dbc.messages[0]?.signals.length, 1);
});

/** Kept, and reported as a warning. */
const ODD: { why: string; text: string; check: string; warnings: number }[] = [
  {
    why: "a message name that starts with a digit",
    text: "BO_ 5 2017_5: 8 A",
    check: "2017_5",
    warnings: 1,
  },
  { why: "a message name with a dot", text: "BO_ 5 A.B-C: 8 A", check: "A.B-C", warnings: 1 },
  { why: "no blank before the colon", text: "BO_ 5 M : 8 A", check: "M", warnings: 0 },
  { why: "no sender", text: "BO_ 5 M: 8", check: "M", warnings: 0 },
  { why: "a comment at the end", text: "BO_ 5 M: 8 A // why", check: "M", warnings: 0 },
];
for (const { why, text, check, warnings } of ODD) {
  test(`read all the same: ${why}`, () => {
    const dbc = parseDbc(text);
    assert.is(dbc.messages[0]?.name, check);
    assert.is(dbc.problems.length, warnings);
    assert.ok(dbc.problems.every((p) => p.severity === "warning"));
  });
}

test("a 29-bit id without the flag is taken as one", () => {
  const dbc = parseDbc("BO_ 274923520 DriverDoorStatus: 8 A\n");
  assert.equal([dbc.messages[0]?.id, dbc.messages[0]?.ext], [0x10630000, true]);
  assert.is(dbc.problems[0]?.severity, "warning");
});

test("the pseudo message of signals that belong to none is skipped, and so is what refers to it", () => {
  const dbc = parseDbc(
    `BO_ 3221225472 VECTOR__INDEPENDENT_SIG_MSG: 0 Vector__XXX
 SG_ lonely : 0|8@1+ (1,0) [0|0] "" Vector__XXX
${GOOD}CM_ SG_ 3221225472 lonely "nobody";
`,
  );
  assert.is(dbc.messages.length, 1);
  assert.is(dbc.problems.length, 0);
});

test("text is UTF-8 if it can be, else cp1252", () => {
  const line = (unit: string): string => `BO_ 5 M: 8 A\n SG_ s : 0|8@1+ (1,0) [0|0] "${unit}" A\n`;
  const unitOf = (bytes: Uint8Array): string | undefined =>
    parseDbc(bytes).messages[0]?.signals[0]?.unit;
  assert.is(unitOf(Buffer.from(line("°C"), "utf8")), "°C");
  assert.is(unitOf(Buffer.from(line("\xb0C"), "latin1")), "°C");
  assert.is(unitOf(Buffer.from(line("\x80/\x99"), "latin1")), "€/™");
  assert.is(unitOf(Buffer.from(`\ufeff${line("°C")}`, "utf8")), "°C");
});

const EVERYTHING = `VERSION "v\\"1\\""
NS_ :
	CM_
	BA_
	FILTER
BS_:
BU_: A B
  C
VAL_TABLE_ States 1 "on" 0 "off" ;
BO_ 5 M: 8 A
 SG_ s M : 0|8@1- (0.5,-1) [-3.4E+038|1e3] "km/h"  A,B , C
 SG_ t m255 : 8|8@1+ (1,0) [0|0] "" Vector__XXX
BO_TX_BU_ 5 : A,B;
EV_ Env: 0 [0|0] "" 0 2 DUMMY_NODE_VECTOR0 Vector__XXX;
CM_ "of the file";
CM_ BU_ A "of a node";
CM_ BO_ 5 "of a
message;
BO_ 7 no message: 8 A
end";
CM_ SG_ 5 s "with \\"quotes\\"";
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","StandardCAN_FD";
BA_DEF_ "BusType" STRING ;
BA_DEF_DEF_ "VFrameFormat" "StandardCAN";
BA_ "BusType" "CAN FD";
BA_ "GenMsgCycleTime" BO_ 5 100;
BA_ "VFrameFormat" BO_ 5 2;
BA_ "SPN" SG_ 5 s 190;
VAL_ 5 s -1 "error" 127 "not available" 18446744073709551615 "far" ;
VAL_ Env 0 "nothing";
SIG_GROUP_ 5 Group 1 : s t;
SG_MUL_VAL_ 5 t s 250-255, 7-7;
`;

test("everything that matters is kept", () => {
  const dbc = parseDbc(EVERYTHING.replaceAll("\n", "\r\n"), { strict: true });
  const [m] = dbc.messages;
  const [s, t] = m?.signals ?? [];
  assert.is(dbc.version, 'v"1"');
  assert.equal(dbc.nodes, ["A", "B", "C"]);
  assert.is(dbc.comment, "of the file");
  assert.is(dbc.attributes.get("BusType"), "CAN FD");
  assert.is(m?.comment?.replaceAll("\r", ""), "of a\nmessage;\nBO_ 7 no message: 8 A\nend");
  assert.equal([m?.cycleTimeMs, m?.canFd, m?.j1939, m?.sender], [100, true, false, "A"]);
  assert.equal([s?.scale, s?.offset, s?.min, s?.max], [0.5, -1, -3.4e38, 1e3]);
  assert.equal([s?.unit, s?.comment, s?.selector], ["km/h", 'with "quotes"', true]);
  assert.equal(s?.receivers, ["A", "B", "C"]);
  assert.is(s?.attributes.get("SPN"), 190);
  assert.is(s?.choices.get(-1), "error");
  assert.is(s?.choices.get(2n ** 64n - 1n), "far");
  const ranges = [
    { from: 255, to: 255 },
    { from: 250, to: 255 },
    { from: 7, to: 7 },
  ];
  assert.equal(t?.mux, { parent: "s", ranges });
});

test("long names stand in attributes, and multiplexing follows them", () => {
  const dbc = parseDbc(`BO_ 5 Cut: 8 A
 SG_ sel M : 0|8@1+ (1,0) [0|0] "" A
 SG_ cut m1 : 8|8@1+ (1,0) [0|0] "" A
BA_ "SystemMessageLongSymbol" BO_ 5 "CutNoLonger";
BA_ "SystemSignalLongSymbol" SG_ 5 sel "selector";
`);
  const decoded = compileDbc(dbc).decode(5, false, Uint8Array.of(1, 9, 0, 0, 0, 0, 0, 0));
  assert.is(decoded?.message.message.name, "CutNoLonger");
  assert.equal({ ...decoded?.signals }, { selector: 1, cut: 9 });
});

const FORGIVEN: { why: string; text: string; choices: number; comment: string | null }[] = [
  {
    why: "a value table without its semicolon",
    text: `${GOOD}VAL_ 5 good 1 "one"\nCM_ SG_ 5 good "c";\n`,
    choices: 1,
    comment: "c",
  },
  {
    why: "unescaped quotes in a comment",
    text: `${GOOD}CM_ SG_ 5 good "say "hello" twice";\nVAL_ 5 good 1 "one";\n`,
    choices: 1,
    comment: 'say "hello" twice',
  },
];
for (const { why, text, choices, comment } of FORGIVEN) {
  test(`forgiven with a warning: ${why}`, () => {
    const dbc = parseDbc(text);
    const signal = dbc.messages[0]?.signals[0];
    assert.equal([signal?.choices.size, signal?.comment], [choices, comment]);
    assert.equal(
      dbc.problems.map((p) => p.severity),
      ["warning"],
    );
  });
}

test("selectors that select each other are cut loose", () => {
  const dbc = parseDbc(`BO_ 5 M: 8 A
 SG_ a m1M : 0|8@1+ (1,0) [0|0] "" A
 SG_ b m1M : 8|8@1+ (1,0) [0|0] "" A
SG_MUL_VAL_ 5 a b 1-1;
SG_MUL_VAL_ 5 b a 1-1;
`);
  assert.is(dbc.problems.length, 1);
  assert.ok(compileDbc(dbc).decode(5, false, Uint8Array.of(1, 1, 0, 0, 0, 0, 0, 0)));
});

test("what refers to nothing is reported", () => {
  const dbc = parseDbc(
    `${GOOD}VAL_ 5 gone 1 "one";\nCM_ BO_ 9 "gone";\nSIG_VALTYPE_ 5 good : 1;\n`,
  );
  assert.equal(
    dbc.problems.map((p) => [p.line, p.message]),
    [
      [3, "Good has no signal gone"],
      [4, "there is no message 9"],
      [5, "signal good has 8 bits, no IEEE 754 width: it stays an integer"],
    ],
  );
});

const BOUNDS: { why: string; text: string; errors: number }[] = [
  { why: "the longest message", text: "BO_ 5 M: 1785 A\n", errors: 0 },
  { why: "one byte more", text: "BO_ 5 M: 1786 A\n", errors: 1 },
  { why: "the largest 11-bit id", text: "BO_ 2047 M: 8 A\n", errors: 0 },
  { why: "the largest 29-bit id", text: "BO_ 2684354559 M: 8 A\n", errors: 0 },
  { why: "30 bits under the flag", text: "BO_ 2684354560 M: 8 A\n", errors: 1 },
  { why: "30 bits without it", text: "BO_ 536870912 M: 8 A\n", errors: 1 },
  {
    why: "the widest signal",
    text: 'BO_ 5 M: 64 A\n SG_ s : 0|512@1+ (1,0) [0|0] "" A\n',
    errors: 0,
  },
  {
    why: "one bit more",
    text: 'BO_ 5 M: 64 A\n SG_ s : 0|513@1+ (1,0) [0|0] "" A\n',
    errors: 1,
  },
  {
    why: "the last start bit",
    text: 'BO_ 5 M: 1785 A\n SG_ s : 14279|1@1+ (1,0) [0|0] "" A\n',
    errors: 0,
  },
  {
    why: "one bit later",
    text: 'BO_ 5 M: 1785 A\n SG_ s : 14280|1@1+ (1,0) [0|0] "" A\n',
    errors: 1,
  },
  { why: "a range of one value", text: `${GOOD}SG_MUL_VAL_ 5 good good 3-3;\n`, errors: 0 },
  { why: "an empty range", text: `${GOOD}SG_MUL_VAL_ 5 good good 4-3;\n`, errors: 1 },
  { why: "a word over two lines", text: `${GOOD}VAL_ 5 good 1 "o\nne" ;\n`, errors: 1 },
];
for (const { why, text, errors } of BOUNDS) {
  test(`bounds: ${why}`, () => {
    const found = parseDbc(text).problems.filter((p) => p.severity === "error");
    assert.is(found.length, errors, found.map(formatProblem).join("; "));
  });
}

test("a 29-bit message without a frame format is J1939 if the file's protocol is", () => {
  const file = (protocol: string): string =>
    `BO_ 2566848766 M: 8 A\nBA_ "ProtocolType" "${protocol}";\n`;
  assert.is(parseDbc(file("J1939")).messages[0]?.j1939, true);
  assert.is(parseDbc(file("CANopen")).messages[0]?.j1939, false);
});

test("of two selectors with one name the first is the one", () => {
  const dbc = parseDbc(`BO_ 5 M: 8 A
 SG_ sel M : 0|8@1+ (1,0) [0|0] "" A
 SG_ sel M : 8|8@1+ (1,0) [0|0] "" A
 SG_ x m1 : 16|8@1+ (1,0) [0|0] "" A
`);
  const [first, second] = dbc.messages[0]?.signals ?? [];
  assert.equal([first?.selector, second?.selector], [true, false]);
  const names = (bytes: number[]): string[] =>
    Object.keys(compileDbc(dbc).decode(5, false, Uint8Array.from(bytes))?.signals ?? {});
  assert.ok(names([1, 9, 0, 0, 0, 0, 0, 0]).includes("x"));
});

test("what hangs on a signal that is not marked M is never decoded, and reported", () => {
  const dbc = parseDbc(`BO_ 5 M: 2 A
 SG_ sel m : 0|8@1+ (1,0) [0|0] "" A
 SG_ x m1 : 8|8@1+ (1,0) [0|0] "" A
VAL_ 5 sel 3 "three";
SG_MUL_VAL_ 5 x sel 1-1;
`);
  const decoded = compileDbc(dbc).decode(5, false, Uint8Array.of(1, 9));
  assert.equal({ ...decoded?.signals }, { sel: 1 });
  assert.equal(
    dbc.problems.map((p) => p.message),
    ['"m" has no number: disregarded', "sel is not marked M: x is never decoded"],
  );
});

test("semicolons in strings of statements that are skipped end nothing", () => {
  const dbc = parseDbc(`BA_REL_ "a;b" BU_BO_REL_ A 5 "c;d";\n${GOOD}`, { strict: true });
  assert.is(dbc.messages.length, 1);
});

test("a statement that is skipped and not ended costs no other", () => {
  const dbc = parseDbc(`BO_TX_BU_ 5 : A,B\n${GOOD}`);
  assert.is(dbc.messages.length, 1);
  assert.equal(
    dbc.problems.map((p) => [p.severity, p.line]),
    [["error", 2]],
  );
});

test("the largest ids are of their own width", () => {
  const dbc = parseDbc("BO_ 2047 A: 8 X\n\nBO_ 2048 B: 8 X\n\nBO_ 2684354559 C: 8 X\n");
  assert.equal(
    dbc.messages.map((m) => [m.id, m.ext]),
    [
      [2047, false],
      [2048, true],
      [0x1fffffff, true],
    ],
  );
});

test("a backslash before the closing quote of a line is a backslash", () => {
  const dbc = parseDbc('BO_ 5 M: 8 A\n SG_ s : 0|8@1+ (1,0) [0|0] "a\\" A\n');
  assert.is(dbc.messages[0]?.signals[0]?.unit, "a\\");
  assert.is(dbc.problems.length, 0);
});

const HOSTILE: { why: string; text: string }[] = [
  { why: "a million blanks", text: " ".repeat(1e6) },
  { why: "a line of a million digits", text: `BO_ ${"9".repeat(1e6)} A: 8 B` },
  { why: "comments that never end", text: 'CM_ "\\"\n'.repeat(50_000) },
  { why: "statements within strings", text: 'CM_ "\nVAL_ 1 a 1 "\n'.repeat(50_000) },
  { why: "value tables that never end", text: `VAL_ 1 a ${'1 "x" '.repeat(100_000)}` },
  { why: "unclosed statements", text: "BO_TX_BU_ 1 : A\n".repeat(50_000) },
];
for (const { why, text } of HOSTILE) {
  test(`a hostile file takes no longer than a good one: ${why}`, () => {
    const started = performance.now();
    const dbc = parseDbc(text);
    assert.ok(performance.now() - started < 20_000, "too slow");
    assert.ok(dbc.problems.length <= 1000);
  });
}

test("a file beyond the bound is refused", () => {
  assert.throws(() => parseDbc(" ".repeat(17 * 1024 * 1024)), /more than 16777216/);
});

test.run();
