/**
 * Traffic of `isotpsend` and `isotprecv` (can-utils) as the kernel lays it out for them, which no kernel that tests run
 * on here has: frame by frame from net/can/isotp.c of Linux 6.1 (isotp_sendmsg, isotp_fill_dataframe,
 * isotp_create_fframe, isotp_send_fc) with the options that isotpsend(1) and isotprecv(1) name. "<" comes from the peer,
 * ">" must come from us, "+" lets milliseconds pass.
 */
import { type CanFrame, createIsoTpLink, IsoTpError } from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock } from "../../support/runtime.ts";

const counted = (length: number, from = 0): string =>
  Buffer.from(Array.from({ length }, (_, i) => (i + from) & 0xff)).toString("hex");

type Trace = {
  readonly why: string;
  /** As the peer was called. */
  readonly peer: string;
  readonly ids?: readonly [ours: number, theirs: number];
  readonly ext?: boolean;
  readonly fd?: boolean;
  /** What we send at the start, in hex. */
  readonly send?: string;
  readonly offer?: { readonly blockSize: number; readonly separationMs: number };
  readonly trace: readonly string[];
  /** Messages that must have come whole, in hex; how sending ended. */
  readonly got?: readonly string[];
  readonly sent?: string;
  readonly error?: string;
};

const NORMAL_FIXED = [0x18da10f1, 0x18daf110] as const;

const TRACES: readonly Trace[] = [
  {
    why: "a single frame, as long as it needs to be",
    peer: "isotpsend -s 7E8 -d 7E0",
    trace: ["< 03414243"],
    got: ["414243"],
  },
  {
    why: "a single frame, filled up",
    peer: "isotpsend -s 7E8 -d 7E0 -p AA",
    trace: ["< 03414243aaaaaaaa"],
    got: ["414243"],
  },
  {
    why: "several frames; the last is as long as it needs to be",
    peer: "isotpsend -s 7E8 -d 7E0",
    trace: ["< 1011000102030405", "> 300000cccccccccc", "< 21060708090a0b0c", "< 220d0e0f10"],
    got: [counted(17)],
  },
  {
    why: "29 bits, filled up, in blocks of ours with 10 ms between frames",
    peer: "isotpsend -s 18DAF110 -d 18DA10F1 -p 55",
    ids: NORMAL_FIXED,
    ext: true,
    offer: { blockSize: 2, separationMs: 10 },
    trace: [
      "< 101d000102030405",
      "> 30020acccccccccc",
      "< 21060708090a0b0c",
      "< 220d0e0f10111213",
      "> 30020acccccccccc",
      "< 231415161718191a",
      "< 241b1c5555555555",
    ],
    got: [counted(29)],
  },
  {
    why: "the number of a frame wraps from 15 to 0",
    peer: "isotpsend -s 7E8 -d 7E0",
    trace: [
      "< 1070000102030405",
      "> 300000cccccccccc",
      ...Array.from(
        { length: 15 },
        (_, i) => `< 2${((i + 1) & 15).toString(16)}${counted(7, 6 + 7 * i)}`,
      ),
      `< 20${counted(1, 111)}`,
    ],
    got: [counted(112)],
  },
  {
    why: "a single CAN FD frame of 40 bytes: the length escaped, filled up to 48",
    peer: "isotpsend -s 7E8 -d 7E0 -L 72:64:0",
    fd: true,
    trace: [`< 0028${counted(40)}${"cc".repeat(6)}`],
    got: [counted(40)],
  },
  {
    why: "CAN FD frames of 64 bytes, the last filled up to 12",
    peer: "isotpsend -s 7E8 -d 7E0 -L 72:64:0",
    fd: true,
    trace: [
      `< 1086${counted(62)}`,
      "> 300000cccccccccc",
      `< 21${counted(63, 62)}`,
      `< 22${counted(9, 125)}cccc`,
    ],
    got: [counted(134)],
  },
  {
    why: "CAN FD frames of 16 bytes: the first frame says how long the others are",
    peer: "isotpsend -s 7E8 -d 7E0 -L 72:16:0",
    fd: true,
    trace: [
      `< 1028${counted(14)}`,
      "> 300000cccccccccc",
      `< 21${counted(15, 14)}`,
      `< 22${counted(11, 29)}`,
    ],
    got: [counted(40)],
  },
  {
    why: "more than we take: refused, and a frame that follows is nobody's",
    peer: "isotpsend -s 7E8 -d 7E0, with 5,000 bytes",
    trace: ["< 1000000013880001", "> 320000cccccccccc", "< 2102030405060708"],
    got: [],
  },
  {
    why: "a message that stops is given up after N_Cr",
    peer: "isotpsend -s 7E8 -d 7E0, killed",
    trace: ["< 1011000102030405", "> 300000cccccccccc", "< 21060708090a0b0c", "+999", "+1"],
    got: [],
    error: "N_TIMEOUT_Cr",
  },
  {
    why: "flow control as short as it needs to be, everything at once",
    peer: "isotprecv -s 7E8 -d 7E0",
    send: counted(16),
    trace: ["> 1010000102030405", "< 300000", "> 21060708090a0b0c", "> 220d0e0fcccccccc"],
    sent: "sent",
  },
  {
    why: "flow control filled up; blocks of two; 5 ms between frames, none of them early",
    peer: "isotprecv -s 7E8 -d 7E0 -p 00 -b 2 -m 05",
    send: counted(27),
    trace: [
      "> 101b000102030405",
      "< 3002050000000000",
      "> 21060708090a0b0c",
      "+4",
      "+1",
      "> 220d0e0f10111213",
      "+50",
      "< 3002050000000000",
      "> 231415161718191a",
    ],
    sent: "sent",
  },
  {
    why: "STmin F1 to F9 are hundreds of microseconds: no frame before, none a millisecond late",
    peer: "isotprecv -s 7E8 -d 7E0 -m F9",
    send: counted(20),
    trace: ["> 1014000102030405", "< 3000f9", "> 21060708090a0b0c", "+1", "> 220d0e0f10111213"],
    sent: "sent",
  },
  {
    why: "a reserved STmin is the longest there is",
    peer: "isotprecv -s 7E8 -d 7E0 -m 80",
    send: counted(20),
    trace: [
      "> 1014000102030405",
      "< 300080",
      "> 21060708090a0b0c",
      "+126",
      "+1",
      "> 220d0e0f10111213",
    ],
    sent: "sent",
  },
  {
    why: "a peer that asks to wait, each time anew, and then is ready; 29 bits",
    peer: "isotprecv -s 18DAF110 -d 18DA10F1 -w 2",
    ids: NORMAL_FIXED,
    ext: true,
    send: counted(10),
    trace: [
      "> 100a000102030405",
      "+900",
      "< 310000",
      "+900",
      "< 310000",
      "+900",
      "< 300000",
      "> 2106070809cccccc",
    ],
    sent: "sent",
  },
  {
    why: "a peer with too little room",
    peer: "isotprecv -s 7E8 -d 7E0, as for a message beyond its buffer",
    send: counted(4095),
    trace: ["> 1fff000102030405", "< 320000"],
    sent: "N_BUFFER_OVFLW",
  },
  {
    why: "CAN FD: a first frame of 64 bytes, the last frame filled up to a length that there is",
    peer: "isotprecv -s 7E8 -d 7E0 -L 72:64:0",
    fd: true,
    send: counted(72),
    trace: [`> 1048${counted(62)}`, "< 300000", `> 21${counted(10, 62)}cc`],
    sent: "sent",
  },
  {
    why: "flow control that is none of the three kinds, or cut off, is ignored",
    peer: "a bus on which others talk",
    send: counted(10),
    trace: ["> 100a000102030405", "< 330000", "< 3000", "< 300000", "> 2106070809cccccc"],
    sent: "sent",
  },
];

for (const { why, peer, trace, ids = [0x7e0, 0x7e8], ...row } of TRACES) {
  test(`${peer}: ${why}`, async () => {
    const { ext = false, fd = false, send, got = [], sent, error, offer } = row;
    const clock = manualClock();
    const ours: string[] = [];
    const messages: string[] = [];
    const errors: string[] = [];
    const link = createIsoTpLink({
      ...{ txId: ids[0], rxId: ids[1], ext, fd, clock },
      ...(offer === undefined ? {} : { offer }),
      send: (frame) => {
        assert.equal([frame.id, frame.ext, frame.fd ?? false], [ids[0], ext, fd]);
        ours.push(Buffer.from(frame.data).toString("hex"));
        return { sent: true };
      },
      onMessage: (message) => messages.push(Buffer.from(message).toString("hex")),
      onError: (reason) => errors.push(reason),
    });
    let outcome = "";
    if (send !== undefined) {
      link.send(Buffer.from(send, "hex")).then(
        () => {
          outcome = "sent";
        },
        (reason: unknown) => {
          outcome = reason instanceof IsoTpError ? reason.reason : String(reason);
        },
      );
    }
    for (const [i, line] of trace.entries()) {
      const where = `line ${i + 1}: ${line}`;
      if (line.startsWith("> ")) {
        assert.is(ours.shift(), line.slice(2), where);
        continue;
      }
      assert.equal(ours, [], `${where}: something was sent before its time`);
      if (line.startsWith("+")) clock.pass(Number(line.slice(1)));
      else {
        const data = new Uint8Array(Buffer.from(line.slice(2), "hex"));
        const frame: CanFrame = { timeUs: null, bus: "", id: ids[1], ext, kind: "data", fd, data };
        link.take(frame);
        clock.pass(0);
      }
    }
    await Promise.resolve();
    assert.equal(ours, [], "and nothing more");
    assert.equal(messages, got);
    assert.is(outcome, sent ?? "");
    assert.equal(errors, error === undefined ? [] : [error]);
    link.close();
  });
}

test.run();
