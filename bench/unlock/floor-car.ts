/** The floor's car: one connection, which verifies, commits the intent and the result, signs and answers; or echoes. */

import {
  openCommand,
  requestHashOf,
  signingKey,
  signResult,
  systemClock,
  topicOf,
  verifyKey,
} from "@kerbside/protocol";
import { loadIdentity, mqttTransport } from "@kerbside/uplink";
import { committer } from "./commits.ts";
import { readConfig } from "./floor-config.ts";

async function serve(): Promise<void> {
  const { dir, seed, carDir, brokerPort } = readConfig();
  const identity = loadIdentity(carDir);
  if (identity === undefined) throw new Error("the car is not enrolled");
  const clock = systemClock(() => performance.now());
  const commit = committer(`${dir}/floor-car.sqlite`);
  const commandKey = verifyKey(signingKey(Buffer.from(seed, "hex")).publicKey);
  const { address, tls, signingKey: own } = identity;
  const topic = topicOf(address, "result");
  const answer = (payload: Uint8Array): Uint8Array => {
    const command = openCommand(commandKey, payload);
    commit(payload);
    const result = signResult(own, {
      ...address,
      id: command.id,
      requestHash: requestHashOf(payload),
      status: "executed",
      replayed: false,
      unmet: [],
      durable: true,
      mayHaveSucceeded: false,
      sessionMs: 0,
    });
    commit(result);
    return result;
  };
  const transport = mqttTransport({
    address,
    host: "localhost",
    port: brokerPort,
    tls: () => tls,
    clock,
  });
  const connection = await transport.connect(
    {
      // `time` is the bare request and reply; `command` the whole.
      message: (channel, payload) =>
        void connection.publish(topic, channel === "time" ? payload : answer(payload)),
      closed: () => process.exit(),
    },
    { topic: topicOf(address, "gone"), payload: new Uint8Array(16) },
    AbortSignal.timeout(20_000),
  );
  process.send?.({ ready: true });
}

await serve();
