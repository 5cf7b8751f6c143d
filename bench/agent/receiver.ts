/**
 * The CAN receiver's process as it is on a car, but for the kernel's socket, which this machine may not have: the same
 * code moves 3,900 frames a second that are made here. Stands in for its memory. Argument: frames a second.
 */
import { Socket } from "node:net";
import { Receiver } from "@kerbside/can";

const AGENT_FD = 3;
const TICK_MS = 5;
const rate = Number(process.argv[2] ?? "0");
const agent = new Socket({ fd: AGENT_FD });
agent.on("error", () => process.exit(0));
agent.on("close", () => process.exit(0));
agent.resume();
const receiver = new Receiver({
  name: "can0",
  filters: [],
  agent,
  interfaces: { look: () => ({ index: 1, up: true }), delivered: () => 0 },
  open: async (_name, _filters, { onMessage }) => {
    const started = performance.now();
    let sent = 0;
    setInterval(() => {
      const due = ((performance.now() - started) / 1000) * rate;
      for (; sent < due; sent += 1) {
        const data = Buffer.alloc(8);
        data.writeUInt32BE(sent);
        onMessage({ id: 0x100 + (sent % 64), data });
      }
    }, TICK_MS);
    return { send: () => true };
  },
  monotonicUs: () => Math.round(performance.now() * 1000),
  onEnd: () => process.exit(0),
});
await receiver.watch();
