import { PassThrough } from "node:stream";
import { compileDbc, createReplayBus, parseDbc, serveBus } from "@kerbside/can";
import { systemClock } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { can, withFiles } from "./harness.ts";

const DBC = `BO_ 291 Engine: 8 A
 SG_ rpm : 0|16@1+ (0.25,0) [0|0] "rpm" A
 SG_ gear : 16|8@1- (1,0) [0|0] "" A
VAL_ 291 gear 1 "first" 2 "second";
`;
const LOG = `(10.000000) can0 123#A00F010000000000
(10.100000) can0 123#A00F020000000000
(10.200000) can0 123#A00F020000000000
(10.200000) can0 7FF#DEAD
`;

test("monitor --bus: the socket of a simulated car", async () => {
  await withFiles({ "x.dbc": DBC }, async (path) => {
    const message = compileDbc(parseDbc(DBC)).named("Engine");
    const ending = new AbortController();
    const out = new PassThrough();
    let text = "";
    const clients: { arrived: () => void } = { arrived: () => {} };
    const server = await serveBus({ path: path("bus"), onClients: () => clients.arrived() });
    clients.arrived = () => {
      const data = message?.encode({ rpm: 750, gear: "second" }) ?? new Uint8Array(8);
      server.send({ id: 291, ext: false, data });
    };
    out.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('"rpm":750')) ending.abort();
    });
    const args = ["monitor", "--json", "--interval", "50", "--dbc", path("x.dbc")];
    const more = { stdout: out, signal: ending.signal };
    const ran = await can([...args, "--bus", path("bus")], { more });
    await server.close();
    assert.is(ran.code, 0, ran.err);
    assert.match(text, /^\{"bus":"sim","id":291,.*"signals":\{"rpm":750,"gear":2\}\}\n/);
  });
});

test("monitor --bus: a name that no interface has", async () => {
  await withFiles({ "x.dbc": DBC }, async (path) => {
    const ran = await can(["monitor", "--dbc", path("x.dbc"), "--bus", "what is this"]);
    assert.is(ran.code, 2);
    assert.match(ran.err, /--bus what is this: CAN interface: expected a name such as can0/);
  });
});

test("monitor: without a terminal the table is printed once, at the end", async () => {
  await withFiles({ "x.dbc": DBC, "x.log": LOG }, async (path) => {
    const ran = await can(["monitor", "--dbc", path("x.dbc"), path("x.log")]);
    const lines = ran.out.trimEnd().split("\n");
    assert.is(lines.length, 4);
    assert.is(lines[0], "4 frames  2 ids");
    assert.match(lines[1] ?? "", /^can0 +123 Engine +10\.0\/s +0 ms +3 $/);
    assert.is(lines[2], "    rpm=1000rpm gear=second");
    assert.match(lines[3] ?? "", /^can0 +7FF \(unknown\) .* DEAD$/);
  });
});

test("monitor: on a terminal what changed is highlighted, and the screen is given back", async () => {
  await withFiles({ "x.dbc": DBC, "x.log": LOG }, async (path) => {
    const ran = await can(["monitor", "--dbc", path("x.dbc"), path("x.log")], {
      terminal: { columns: 80, rows: 24 },
    });
    assert.ok(ran.out.startsWith("\u001b[?1049h"), "takes the screen");
    assert.ok(ran.out.includes("\u001b[30;43m gear=second\u001b[0m"), "highlights the change");
    assert.not.ok(ran.out.includes("\u001b[30;43m rpm"), "and nothing else");
    assert.ok(ran.out.includes("\u001b[?25h\u001b[?1049l"), "gives the screen back");
  });
});

test("monitor: a window too small says what it leaves out, and no line is wider than it", async () => {
  const dbc = Array.from({ length: 30 }, (_, i) => `BO_ ${i} M${i}: 8 A\n`).join("");
  const log = Array.from(
    { length: 30 },
    (_, i) => `(1.0) can0 ${i.toString(16).padStart(3, "0")}#00\n`,
  );
  await withFiles({ "x.dbc": dbc, "x.log": log.join("") }, async (path) => {
    const ran = await can(["monitor", "--dbc", path("x.dbc"), path("x.log")], {
      terminal: { columns: 40, rows: 10 },
    });
    const screen = ran.out.split("\u001b[H\u001b[J").at(-1)?.split("\u001b[?25h")[0] ?? "";
    const lines = screen.split("\n");
    assert.is(lines.length, 10);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are escape sequences
    const bare = lines.map((line) => line.replaceAll(/\u001b\[[0-9;]*m/g, ""));
    assert.ok(bare.every((line) => line.length <= 40));
    assert.match(bare.at(-1) ?? "", /^… 22 more lines/);
  });
});

test("monitor: names from a file do not steer the terminal", async () => {
  const dbc = 'BO_ 1 M: 8 A\n SG_ s : 0|8@1+ (1,0) [0|0] "\u001b[2J" A\n';
  await withFiles({ "x.dbc": dbc, "x.log": "(1.0) can0 001#00\n" }, async (path) => {
    const ran = await can(["monitor", "--dbc", path("x.dbc"), path("x.log")]);
    assert.not.ok(ran.out.includes("\u001b"));
    assert.ok(ran.out.includes("s=0?[2J"));
  });
});

test("monitor --json: a line a message", async () => {
  await withFiles({ "x.dbc": DBC, "x.log": LOG }, async (path) => {
    const ran = await can(["monitor", "--json", "--dbc", path("x.dbc"), path("x.log")]);
    const lines = ran.out.trimEnd().split("\n");
    assert.equal(
      lines.map((line) => JSON.parse(line)),
      [
        {
          bus: "can0",
          id: 291,
          ext: false,
          message: "Engine",
          count: 3,
          rateHz: 10,
          ageMs: 0,
          signals: { rpm: 1000, gear: 2 },
        },
        {
          bus: "can0",
          id: 2047,
          ext: false,
          message: null,
          count: 1,
          rateHz: null,
          ageMs: 0,
          signals: {},
        },
      ],
    );
  });
});

test("monitor --bus: a live bus, until it is told to end", async () => {
  const message = compileDbc(parseDbc(DBC)).named("Engine");
  assert.ok(message !== undefined);
  const ending = new AbortController();
  const frame = {
    timeUs: 1000,
    bus: "can0",
    id: 291,
    ext: false,
    kind: "data" as const,
    fd: false,
    data: message.encode({ rpm: 500, gear: "first" }),
  };
  await withFiles({ "x.dbc": DBC }, async (path) => {
    const ran = await can(["monitor", "--dbc", path("x.dbc"), "--bus", "test"], {
      more: {
        signal: ending.signal,
        openBus: () =>
          createReplayBus({
            frames: [frame],
            speed: "max",
            clock: systemClock(() => performance.now()),
            onEnd: () => ending.abort(),
          }),
      },
    });
    assert.is(ran.code, 0, ran.err);
    assert.match(ran.out, /rpm=500rpm gear=first/);
  });
});

test.run();
