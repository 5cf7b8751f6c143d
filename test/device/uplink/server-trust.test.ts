/**
 * Who a car lets answer: real TLS servers with certificates of every kind, judged by the time that the car trusts. A
 * certificate that is not valid yet is what any certificate is to a module that boots in 1970.
 */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { createServer as createPlainServer } from "node:net";
import { createServer } from "node:tls";
import { ProtocolError } from "@kerbside/protocol";
import { type CertificateLife, judgeCertificate, type TimeReading } from "@kerbside/time";
import { againstChain, type JudgeLife, openServer } from "@kerbside/uplink";
import * as x509 from "@peculiar/x509";
import { test } from "uvu";
import * as assert from "uvu/assert";

const YEAR_MS = 365 * 86_400_000;
const NOW = Date.now();
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const SERVER = "1.3.6.1.5.5.7.3.1";
const CLIENT = "1.3.6.1.5.5.7.3.2";

type Made = {
  readonly cert: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
};
type Wish = {
  readonly by?: Made;
  readonly ca?: boolean;
  readonly from?: number;
  readonly to?: number;
  readonly names?: readonly x509.JsonGeneralName[];
  readonly purpose?: string;
};
let made = 0;

async function certificate(wish: Wish): Promise<Made> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  made += 1;
  const { by, ca = false, names, purpose } = wish;
  const cert = await x509.X509CertificateGenerator.create({
    subject: `CN=test ${made}`,
    issuer: by?.cert.subject ?? `CN=test ${made}`,
    publicKey: keys.publicKey,
    signingKey: by?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(wish.from ?? NOW - YEAR_MS),
    notAfter: new Date(wish.to ?? NOW + YEAR_MS),
    extensions: [
      new x509.BasicConstraintsExtension(ca, undefined, true),
      ...(names === undefined ? [] : [new x509.SubjectAlternativeNameExtension([...names])]),
      ...(purpose === undefined ? [] : [new x509.ExtendedKeyUsageExtension([purpose])]),
    ],
  });
  return { cert, keys };
}

const LOCAL = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
] as const;
const server = (wish: Wish): Promise<Made> =>
  certificate({ names: LOCAL, purpose: SERVER, ...wish });

/** What the car makes of a server that shows these, its own first. */
async function answer(
  shown: readonly Made[],
  ca: readonly Made[],
  judge: JudgeLife | undefined,
  host = "localhost",
): Promise<string> {
  const [own] = shown;
  if (own === undefined) throw new Error("nothing to show");
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", own.keys.privateKey));
  const key = `-----BEGIN PRIVATE KEY-----\n${der.toString("base64")}\n-----END PRIVATE KEY-----\n`;
  const pem = (list: readonly Made[]): string =>
    list.map(({ cert }) => cert.toString("pem")).join("\n");
  const heard: string[] = [];
  const listening = createServer({ key, cert: pem(shown), minVersion: "TLSv1.3" }, (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => heard.push(bytes.toString()));
  });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const at = listening.address();
  const port = typeof at === "object" && at !== null ? at.port : 0;
  try {
    const socket = await openServer({ host, port, tls: { ca: pem(ca) }, judge });
    socket.destroy();
    return "taken";
  } catch (error) {
    assert.ok(error instanceof ProtocolError && error.code === "unavailable", String(error));
    assert.equal(heard, [], "nothing was said to it");
    return error.message;
  } finally {
    await new Promise((resolve) => listening.close(resolve));
  }
}

const by =
  (reading: TimeReading): JudgeLife =>
  (life: CertificateLife) =>
    judgeCertificate(life, reading);
const UNKNOWN = by({ value: "unknown", floorMs: NOW });
const FIRST_BOOT = by({ value: "unknown", floorMs: 0 });
const known = (wallMs: number): JudgeLife => by({ value: "known", wallMs, doubtMs: 1000 });

const root = await certificate({ ca: true, to: NOW + 100 * YEAR_MS });
const stranger = await certificate({ ca: true, to: NOW + 100 * YEAR_MS });
/** Of a time that the machine's clock has not reached: that clock stands in 1970, as far as it is concerned. */
const later = { from: NOW + 40 * YEAR_MS, to: NOW + 42 * YEAR_MS };
const [before, within, after] = [NOW, NOW + 41 * YEAR_MS, NOW + 43 * YEAR_MS];
const over = { from: NOW - 3 * YEAR_MS, to: NOW - YEAR_MS };

const young = await server({ by: root, ...later });
const old = await server({ by: root, ...over });
const good = await server({ by: root });
const between = await certificate({ by: root, ca: true, to: NOW + 100 * YEAR_MS });
const youngBetween = await server({ by: between, ...later });
const noAuthority = await certificate({ by: root, to: NOW + 100 * YEAR_MS });
const oldBetween = await certificate({ by: root, ca: true, ...over });
const NOBODY = /nobody that is trusted|self.signed|unable|SELF_SIGNED|UNABLE/i;

const ROWS: readonly {
  readonly why: string;
  readonly shown: readonly Made[];
  readonly judge: JudgeLife | undefined;
  readonly host?: string;
  readonly ca?: readonly Made[];
  readonly is: string | RegExp;
}[] = [
  { why: "all is well", shown: [good], judge: known(NOW), is: "taken" },
  {
    why: "the machine's clock judges where nobody else does",
    shown: [good],
    judge: undefined,
    is: "taken",
  },
  {
    why: "… and refuses what it thinks is not valid yet",
    shown: [young],
    judge: undefined,
    is: /CERT_NOT_YET_VALID/,
  },
  { why: "a machine in 1970, no time known", shown: [young], judge: UNKNOWN, is: "taken" },
  {
    why: "a machine in 1970, at its very first boot",
    shown: [young],
    judge: FIRST_BOOT,
    is: "taken",
  },
  { why: "a machine in 1970, the time known", shown: [young], judge: known(within), is: "taken" },
  { why: "by an address", shown: [young], judge: UNKNOWN, host: "127.0.0.1", is: "taken" },
  { why: "an authority between", shown: [youngBetween, between], judge: UNKNOWN, is: "taken" },
  {
    why: "several pinned authorities",
    shown: [young],
    judge: UNKNOWN,
    ca: [stranger, root],
    is: "taken",
  },
  {
    why: "by the trusted time it is too early",
    shown: [young],
    judge: known(before),
    is: /not valid yet/,
  },
  { why: "by the trusted time it is over", shown: [young], judge: known(after), is: /has run out/ },
  { why: "it ended before the floor", shown: [old], judge: UNKNOWN, is: /has run out/ },
  { why: "run out at a sane time", shown: [old], judge: known(NOW), is: /has run out/ },
  {
    why: "a clock that was set back takes nothing that is over",
    shown: [good],
    judge: known(NOW + 2 * YEAR_MS),
    is: /has run out/,
  },
  {
    why: "an authority between that has run out",
    shown: [await server({ by: oldBetween }), oldBetween],
    judge: UNKNOWN,
    is: /has run out/,
  },
  {
    why: "a stranger's authority",
    shown: [await server({ by: stranger })],
    judge: known(NOW),
    is: NOBODY,
  },
  {
    why: "a stranger's, hidden behind a wrong time",
    shown: [await server({ by: stranger, ...later })],
    judge: UNKNOWN,
    is: NOBODY,
  },
  {
    why: "a stranger's with its root, hidden behind a wrong time",
    shown: [await server({ by: stranger, ...later }), stranger],
    judge: UNKNOWN,
    is: NOBODY,
  },
  {
    why: "nobody's, hidden behind a wrong time",
    shown: [await server(later)],
    judge: UNKNOWN,
    is: NOBODY,
  },
  {
    why: "issued by who is no authority",
    shown: [await server({ by: noAuthority }), noAuthority],
    judge: known(NOW),
    is: /./,
  },
  {
    why: "the same, hidden behind a wrong time",
    shown: [await server({ by: noAuthority, ...later }), noAuthority],
    judge: UNKNOWN,
    is: /./,
  },
  { why: "the link between is missing", shown: [youngBetween], judge: UNKNOWN, is: NOBODY },
  {
    why: "another name",
    shown: [await server({ by: root, names: [{ type: "dns", value: "elsewhere" }] })],
    judge: known(NOW),
    is: /./,
  },
  {
    why: "another name, hidden behind a wrong time",
    shown: [await server({ by: root, ...later, names: [{ type: "dns", value: "elsewhere" }] })],
    judge: UNKNOWN,
    is: /another name/,
  },
  {
    why: "another address, hidden behind a wrong time",
    shown: [await server({ by: root, ...later, names: [{ type: "dns", value: "localhost" }] })],
    judge: UNKNOWN,
    host: "127.0.0.1",
    is: /another name/,
  },
  {
    why: "a car's certificate",
    shown: [await server({ by: root, purpose: CLIENT })],
    judge: known(NOW),
    is: /./,
  },
  {
    why: "a car's certificate, hidden behind a wrong time",
    shown: [await server({ by: root, purpose: CLIENT, ...later })],
    judge: UNKNOWN,
    is: /./,
  },
];

for (const { why, shown, judge, host, ca = [root], is } of ROWS) {
  test(`P-01 ${why}: ${is === "taken" ? "taken" : "refused"}`, async () => {
    const said = await answer(shown, ca, judge, host);
    if (typeof is === "string") assert.is(said, is);
    else {
      assert.is.not(said, "taken");
      assert.match(said, is, said);
    }
  });
}

test("nobody there, somebody who hangs up, and a caller who has given up", async () => {
  const reason = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => "taken",
      (error: unknown) => (error instanceof Error ? error.message : ""),
    );
  const tls = { ca: root.cert.toString("pem") };
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const at = silent.address();
  const port = typeof at === "object" && at !== null ? at.port : 0;
  const there = { host: "localhost", port, tls, judge: UNKNOWN };
  assert.match(await reason(openServer(there)), /server: /, "it has no certificate at all");
  const rude = createPlainServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => rude.listen(0, "127.0.0.1", resolve));
  const rudeAt = rude.address();
  const rudePort = typeof rudeAt === "object" && rudeAt !== null ? rudeAt.port : 0;
  assert.match(await reason(openServer({ ...there, port: rudePort })), /ECONNRESET|closed/);
  await new Promise((resolve) => rude.close(resolve));
  const gone = AbortSignal.abort("given up");
  assert.match(await reason(openServer({ ...there, signal: gone })), "given up");
  await new Promise((resolve) => silent.close(resolve));
  assert.match(await reason(openServer(there)), "ECONNREFUSED");
});

test("a chain that shows nothing, and one that does not end", async () => {
  const ca = root.cert.toString("pem");
  assert.is(againstChain([], { host: "localhost", ca, judge: UNKNOWN }), "shows no certificate");
  const chain: Made[] = [];
  for (let depth = 0; depth < 5; depth += 1) {
    const above = chain[0] ?? root;
    chain.unshift(await certificate({ by: above, ca: true, to: NOW + 100 * YEAR_MS }));
  }
  const [lowest] = chain;
  assert.ok(lowest !== undefined);
  const deep = [await server({ by: lowest, ...later }), ...chain];
  assert.match(await answer(deep, [root], UNKNOWN), "too many authorities");
});

test.run();
