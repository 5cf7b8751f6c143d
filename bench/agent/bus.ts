/**
 * A standing car's bus, with its engine on, at many times its pace: every frame as the control units send it, counters
 * and checksums too. Arguments: path of the socket, frames a second. Ends with its parent.
 */
import { serveBus } from "@kerbside/can";
import { createControlUnits, makeRoute, newCar } from "@kerbside/sim";

const [path = "", rate = "0"] = process.argv.slice(2);
const TICK_MS = 5;
const route = makeRoute();
const units = createControlUnits(route);
const car = { ...newCar(1), ignition: "ON", engine: { value: "running" } } as const;
const server = await serveBus({ path });
const framesPerS = units.due(car, 0, 10_000).length / 10;
const pace = Number(rate) / framesPerS;
const started = performance.now();
let atMs = 0;
setInterval(() => {
  const untilMs = Math.floor((performance.now() - started) * pace);
  for (const frame of units.due(car, atMs, untilMs)) server.send(frame);
  atMs = untilMs;
}, TICK_MS);
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
