/** What a real interface does to whoever listens at it. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type BusFrame, filtersFor } from "@kerbside/can";
import { Ear, type Scenarios, sh, sleep, until } from "./guest-ear.ts";

const shown = ({ id, ext, kind, fd, data }: BusFrame): string =>
  `${id.toString(16)} ${ext} ${kind} ${fd} ${Buffer.from(data).toString("hex")}`;

export const BUS_SCENARIOS: Scenarios = {
  exchange: async () => {
    const ear = new Ear("vcan0");
    await ear.reaches("up");
    for (const f of [
      "123#1122",
      "18DAF110#01",
      "7FF#R",
      "123##1112233445566778899AABBCC",
      "000#",
    ]) {
      sh(`cansend vcan0 ${f}`);
    }
    await ear.hears(5);
    const dump = spawn("candump", ["-L", "-n", "2", "vcan0"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    let text = "";
    dump.stdout.on("data", (chunk) => {
      text += String(chunk);
    });
    await sleep(500);
    const refused = ear.bus.send({ id: 0x18daf110, ext: false, data: Uint8Array.of(1) });
    const sent = [
      ear.bus.send({ id: 0x18daf110, ext: true, data: Uint8Array.of(1, 2) }),
      ear.bus.send({ id: 0x123, ext: false, fd: true, data: new Uint8Array(12).fill(3) }),
    ];
    await until(() => text.split("\n").length > 2);
    dump.kill();
    await ear.bus.stop();
    return { frames: ear.frames.map(shown), refused, sent, text, stats: ear.bus.stats() };
  },
  coming_and_going: async () => {
    const ear = new Ear("can9");
    await ear.says(/no such interface/);
    sh("ip link add can9 type vcan && ip link set can9 up");
    await ear.reaches("up");
    sh("cansend can9 001#01");
    await ear.hears(1);
    sh("ip link set can9 down");
    // Before anybody has noticed: it is handed over, and then told of.
    const early = ear.bus.send({ id: 1, ext: false, data: new Uint8Array(0) });
    await until(() => ear.bus.stats().notSent === 1);
    await ear.reaches("down");
    const sent = ear.bus.send({ id: 1, ext: false, data: new Uint8Array(0) });
    sh("ip link set can9 up");
    await ear.reaches("up");
    sh("cansend can9 002#02");
    await ear.hears(2);
    sh("ip link delete can9");
    await ear.reaches("down");
    sh("ip link add can9 type vcan && ip link set can9 up");
    await ear.reaches("up");
    sh("cansend can9 003#03");
    await ear.hears(3);
    await ear.reaches("silent");
    sh("cansend can9 004#04");
    await ear.reaches("up");
    await ear.bus.stop();
    const notSent = ear.events.flatMap((e) => (e.kind === "notSent" ? [e.reason] : []));
    return { ids: ear.frames.map(({ id }) => id), states: ear.states, early, notSent, sent };
  },
  filters: async () => {
    const wanted = [
      { id: 0x100, ext: false },
      { id: 0x18daf110, ext: true },
      { id: 0x18fef31c, ext: true, j1939: true },
    ];
    const ear = new Ear("vcan1", filtersFor(wanted));
    await ear.reaches("up");
    for (const f of [
      "101#",
      "00000100#",
      "18DAF111#",
      "18FEE31C#",
      "100#",
      "18DAF110#",
      "0CFEF344#",
    ]) {
      sh(`cansend vcan1 ${f}`);
    }
    await ear.hears(3);
    await sleep(300);
    await ear.bus.stop();
    return ear.frames.map(({ id }) => id.toString(16));
  },
  busy_agent: async () => {
    const ear = new Ear("vcan0");
    await ear.reaches("up");
    const gen = spawn("cangen", [
      "vcan0",
      "-g",
      "1",
      "-n",
      "1500",
      "-I",
      "111",
      "-L",
      "8",
      "-D",
      "i",
    ]);
    const done = new Promise((resolve) => gen.on("exit", resolve));
    await ear.hears(1);
    // The agent's thread stands still for a second, in which the kernel's buffer would overflow three times.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
    await done;
    await until(() => ear.frames.length >= 1500);
    const counts = ear.frames.map(({ data }) => Buffer.from(data).readUInt32LE());
    const gaps = counts.filter((count, i) => i > 0 && count !== (counts[i - 1] ?? 0) + 1).length;
    await ear.bus.stop();
    return { received: counts.length, gaps, lost: ear.bus.stats().lost };
  },
  killed_receiver: async () => {
    const ear = new Ear("vcan0");
    await ear.reaches("up");
    const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8");
    for (const pid of children.trim().split(" ")) process.kill(Number(pid), "SIGKILL");
    await ear.reaches("down");
    await ear.reaches("up");
    sh("cansend vcan0 055#");
    await ear.hears(1);
    await ear.bus.stop();
    const left = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8").trim();
    return { ids: ear.frames.map(({ id }) => id), left };
  },
  bus_off: async () => {
    const socat = spawn("socat", ["pty,raw,echo=0,link=/dev/sa", "pty,raw,echo=0,link=/tmp/sb"]);
    await until(() => existsSync("/dev/sa") && existsSync("/tmp/sb"));
    sh("slcand -o -s6 sa slcan0");
    await until(() => existsSync("/sys/class/net/slcan0"));
    sh("ip link set slcan0 up");
    const ear = new Ear("slcan0");
    await ear.reaches("up");
    writeFileSync("/tmp/sb", "t1232AABB\r");
    await ear.hears(1);
    writeFileSync("/tmp/sb", "sp130130\r");
    await ear.reaches("passive");
    writeFileSync("/tmp/sb", "sb000255\r");
    await ear.reaches("busOff");
    const sent = ear.bus.send({ id: 1, ext: false, data: new Uint8Array(0) });
    writeFileSync("/tmp/sb", "sa000000\r");
    await ear.reaches("up");
    writeFileSync("/tmp/sb", "t1242AABB\r");
    await ear.hears(2, "data");
    const again = ear.bus.send({ id: 1, ext: false, data: new Uint8Array(0) });
    socat.kill();
    await ear.reaches("down");
    await ear.bus.stop();
    return { states: ear.states, sent, again };
  },
};
