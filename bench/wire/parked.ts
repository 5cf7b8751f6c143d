/**
 * What a parked car costs in an hour with nothing to say: the car's own transport over mutual TLS to the real broker, kept
 * alive quickly here, and its pings counted as the kernel counts them (`ss`, from Debian's iproute2): payload bytes both
 * ways, and for each segment of TCP the 52 bytes of headers of IP, TCP and its timestamps. A ping costs the same however
 * far apart they are.
 */
import { execFileSync } from "node:child_process";
import type { X509Certificate } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { startBroker } from "@kerbside/broker";
import { identifyCertificate } from "@kerbside/identity";
import { POWER_TABLE } from "@kerbside/immobiliser";
import { systemClock, topicOf } from "@kerbside/protocol";
import { mqttTransport } from "@kerbside/uplink";
import { makePki } from "../../test/cloud/identity/pki.ts";
import type { Row } from "../benchmark.ts";

const QUICK_S = 2;
const ROUNDS = 5;
const PINGS_A_ROUND = 2;
const HEADERS_BYTES = 52;
const HOUR_S = 3600;
const BYTES_MAX = 3000;

/** IP bytes so far of the connection to this port, both ways, seen from its client. */
function ipBytes(port: number): number {
  const filter = ["-tinH", "state", "established", "dport", "=", `:${port}`];
  const text = execFileSync("ss", filter, { encoding: "utf8" });
  const of = (name: string): number => Number(new RegExp(`\\b${name}:(\\d+)`).exec(text)?.[1] ?? 0);
  const segments = of("segs_out") + of("segs_in");
  if (segments === 0) throw new Error(`ss: no connection to port ${port}`);
  return of("bytes_sent") + of("bytes_received") + segments * HEADERS_BYTES;
}

export async function parkedRow(): Promise<Row> {
  const pki = await makePki();
  const car = await pki.car("demo", "car-1");
  const address = { tenant: car.tenant, vehicle: car.vehicle };
  const { certificate: authority } = await pki.tenant("demo");
  const clock = systemClock(() => performance.now());
  const ca = pki.platform.rootCertificate;
  const broker = await startBroker({
    ...{ port: 0, host: "127.0.0.1", clock },
    tls: { ...pki.server, ca: [ca] },
    identify: (certificate: X509Certificate) =>
      identifyCertificate(certificate, async () => authority, Date.now()),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  await broker.source.start(async () => undefined);
  const transport = mqttTransport({
    ...{ address, host: "127.0.0.1", port: broker.port, clock, keepaliveS: QUICK_S },
    tls: () => ({ ca, cert: car.cert, key: car.key }),
  });
  const events = { message: () => undefined, closed: () => undefined };
  const will = { topic: topicOf(address, "gone"), payload: new Uint8Array(16) };
  const line = await transport.connect(events, will, new AbortController().signal);
  try {
    await wait(1500 * QUICK_S);
    const perPing: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = ipBytes(broker.port);
      await wait(1000 * QUICK_S * PINGS_A_ROUND);
      perPing.push((ipBytes(broker.port) - before) / PINGS_A_ROUND);
    }
    const { keepAliveS } = POWER_TABLE.parked;
    return {
      what: `a parked car with nothing to say, kept alive every ${keepAliveS} s, at IP level both ways`,
      unit: "bytes/hour",
      ours: {
        name: "kerbside",
        values: perPing.map((bytes) => (bytes * HOUR_S) / keepAliveS),
      },
      peer: null,
      goal: { of: "ours", atMost: BYTES_MAX },
    };
  } finally {
    await line.close();
    await broker.close();
  }
}
