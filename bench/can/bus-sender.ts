/** A simulated car in a process of its own: sends frames at a pace until its parent goes. Arguments: path, frames/s. */
import { serveBus } from "@kerbside/can";

const [path = "", rate = "0"] = process.argv.slice(2);
/** As a bus does: a few frames at a time, not a second's worth at once. */
const TICK_MS = 5;
const IDS = 64;

const server = await serveBus({ path });
const started = performance.now();
let sent = 0;
setInterval(() => {
  const due = ((performance.now() - started) / 1000) * Number(rate);
  for (; sent < due; sent++) {
    const data = new Uint8Array(8);
    new DataView(data.buffer).setUint32(0, sent);
    server.send({ id: 0x100 + (sent % IDS), ext: false, data });
  }
}, TICK_MS);
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
