/**
 * The floor's middle: HTTPS with a token verified, the request committed, the other process called, the command sent
 * through the same kind of broker, the answer verified and committed, and the audit's head kept apart: nothing else.
 */
import { createServer } from "node:https";
import { connect } from "node:net";
import { tokenVerifier } from "@kerbside/identity";
import {
  openResult,
  parseClientId,
  type SourceMessage,
  systemClock,
  verifyKey,
} from "@kerbside/protocol";
import { loadIdentity } from "@kerbside/uplink";
import { type NodeBroker, openBroker } from "../../cloud/brokers.ts";
import { committer } from "./commits.ts";
import { type FloorConfig, readConfig } from "./floor-config.ts";

/** Whoever waits for the next message. */
class Next<T> {
  #resolve: (value: T) => void = () => undefined;
  wait(): Promise<T> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
  tell(value: T): void {
    this.#resolve(value);
  }
}

/** The same that the system works with. */
function brokerOf({ outside, tls }: FloorConfig): Promise<NodeBroker> {
  const silent = (): void => undefined;
  return openBroker(outside, {
    port: 0,
    host: "127.0.0.1",
    tls: { key: tls.key, cert: tls.cert, ca: [tls.ca] },
    identify: async (certificate) => ({
      ...parseClientId(/CN=([^\n]+)/.exec(certificate.subject)?.[1] ?? ""),
      serial: certificate.serialNumber,
      notAfterMs: certificate.validToDate.getTime(),
    }),
    log: { info: silent, warn: silent, error: silent },
    clock: systemClock(() => performance.now()),
    limits: { messagesPerS: 100_000, messagesBurst: 100_000 },
  });
}

async function serve(): Promise<void> {
  const config = readConfig();
  const { dir, tokens, tls, carDir } = config;
  const clock = systemClock(() => performance.now());
  const verify = tokenVerifier({ ...tokens, clock });
  const commit = committer(`${dir}/floor-node.sqlite`);
  const anchor = committer(`${dir}/floor-anchors.sqlite`);
  const identity = loadIdentity(carDir);
  if (identity === undefined) throw new Error("the car is not enrolled");
  const { address } = identity;
  const car = verifyKey(identity.signingKey.publicKey);
  const answers = new Next<Uint8Array>();
  const signed = new Next<Uint8Array>();
  const broker = await brokerOf(config);
  await broker.source.start(async ({ topic, payload }: SourceMessage) => {
    if (topic.channel === "result") answers.tell(payload);
  });
  const signer = connect({ path: `${dir}/floor.sock` });
  signer.on("data", (envelope) => signed.tell(new Uint8Array(envelope)));
  const unlock = async (token: string, body: Buffer): Promise<void> => {
    await verify(token);
    commit(body);
    const envelope = signed.wait();
    signer.write(token);
    const command = await envelope;
    const reply = answers.wait();
    await broker.downlink.send(address, "command", command);
    const result = await reply;
    openResult(car, result);
    commit(result);
    anchor(result.slice(0, 96));
  };
  const bare = async (): Promise<number> => {
    const started = performance.now();
    const reply = answers.wait();
    await broker.downlink.send(address, "time", new Uint8Array(200));
    await reply;
    return performance.now() - started;
  };
  const server = createServer({ key: tls.key, cert: tls.cert, noDelay: true }, (request, reply) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const token = (request.headers.authorization ?? "").slice("Bearer ".length);
      const work = request.url === "/bare" ? bare() : unlock(token, Buffer.concat(parts));
      void work.then((took) => reply.end(JSON.stringify({ state: "executed", took })));
    });
  });
  server.listen(0, "127.0.0.1", () => {
    const at = server.address();
    const https = typeof at === "object" && at !== null ? at.port : 0;
    process.send?.({ ready: true, https, broker: broker.port });
  });
}

await serve();
