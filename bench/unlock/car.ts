/**
 * The real agent with lock hardware that takes no time: the controller at the other end of the authenticated link is in
 * this process, so that neither a wire nor another process is counted as the bolts' time. All else is the machine's own.
 */
import "../../device/engine.ts";

import { readFileSync } from "node:fs";
import { uptime } from "node:os";
import { join } from "node:path";
import { createSocketBus } from "@kerbside/can";
import { startAgent } from "@kerbside/device";
import { fromHex, systemClock, systemRandom } from "@kerbside/protocol";
import { loadIdentity, mqttTransport } from "@kerbside/uplink";
import { readConfig } from "../../device/config.ts";
import { agentLog } from "../../device/log.ts";
import { TestController } from "../../test/support/lock-controller.ts";

const [, , file = ""] = process.argv;
const config = readConfig(file);
const clock = systemClock(() => uptime() * 1000);
const random = systemRandom;
const { line } = TestController.inProcess(
  fromHex(readFileSync(config.lock.driver === "link" ? config.lock.pairingKeyFile : "", "utf8")),
);
await startAgent({
  ...{ config, clock, random },
  log: agentLog(),
  signal: new AbortController().signal,
  wires: {
    bus: () =>
      createSocketBus({
        path: config.bus.driver === "socket" ? config.bus.path : "",
        clock,
        random,
      }),
    line: () => line,
    transport: (keepaliveS) => ({
      connect: (events, will, signal) => {
        // Known once the agent has enrolled.
        const identity = loadIdentity(join(config.dataDir, "identity"));
        if (identity === undefined) throw new Error("the car is not enrolled");
        const { address, tls } = identity;
        const { host, port } = config.broker ?? identity.broker;
        const transport = mqttTransport({ address, host, port, tls: () => tls, clock, keepaliveS });
        return transport.connect(events, will, signal);
      },
    }),
    bootId: "bench",
  },
});
process.send?.({ ready: true });
