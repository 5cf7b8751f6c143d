/** The signer's socket and its limits: who may open it, what it takes, and what a caller is told when it fails. */
import { once } from "node:events";
import { statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { BUCKET_MS_MAX, connectSigner, runSigner, type SignerClient } from "@kerbside/commands";
import { randomBytes } from "@kerbside/protocol";
import { openRateFile } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DEMO } from "./car.ts";
import { record } from "./recorded.ts";
import { CAR, clock, log, spawnSigner } from "./rig.ts";
import {
  announce,
  codeOf,
  type SignerPlace,
  type StartedSigner,
  signerPlace,
  startSigner,
  verifierOf,
} from "./signer-rig.ts";

type Fixture = { place: SignerPlace } & SignerPlace & StartedSigner;
const it = suite<Fixture>("signer's socket");

/** A clock on which no bucket fills. */
const stopped = { ...clock, bootMs: () => 1000, wallMs: () => 1_790_000_000_000 };
const order = () => ({ id: randomBytes(16), vehicle: CAR, action: "unlock" }) as const;

it.before(async (f) => {
  f.place = await signerPlace();
  await announce(f.place);
  Object.assign(f, f.place, await startSigner(f.place, "signer.sock"));
});
it.after(async (f) => {
  await f.stop();
  await f.place.close();
});

it("a car and a tenant have a rate", async (f) => {
  const socket = join(f.dir, "slow.sock");
  const slow = await runSigner({
    socket,
    tenant: f.tenants.tenant,
    verifyToken: verifierOf(f.tokens),
    clock: stopped,
    log,
  });
  const client = connectSigner({ socket, clock });
  assert.equal(await asked(f, client, 11), [...ok(10), "limit_reached"]);
  await client.close();
  await slow.close();
});

it("signs as soon as it is told that the record stands, and believes nobody who says so", async (f) => {
  const socket = join(f.dir, "told.sock");
  // A clock whose timers never go off: nothing but being told brings it to look again.
  const deaf = { ...clock, after: () => ({ cancel: () => undefined }) };
  const verifyToken = verifierOf(f.tokens);
  const signer = await runSigner({
    socket,
    tenant: f.tenants.tenant,
    verifyToken,
    clock: deaf,
    log,
  });
  const client = connectSigner({ socket, clock });
  const staff = await f.tokens.mint({ scope: "commands:operate" });
  const store = (await f.registry.tenant(DEMO))?.store;
  if (store === undefined) throw new Error("no tenant");
  const one = order();
  const stands = Promise.withResolvers<boolean>();
  const signing = client.signCommand(staff, one, undefined, stands.promise);
  await record(store, one);
  stands.resolve(true);
  assert.ok((await signing).envelope.length > 0);
  const lie = Promise.resolve(true);
  assert.is(await codeOf(client.signCommand(staff, order(), undefined, lie)), "not_found");
  // By this signer's clock nothing is ever late: so it goes by the word alone.
  const withdrawn = Promise.resolve(false);
  assert.is(await codeOf(client.signCommand(staff, order(), undefined, withdrawn)), "not_found");
  await client.close();
  await signer.close();
});

it("what was never recorded takes nothing of the rate", async (f) => {
  const socket = join(f.dir, "unrecorded.sock");
  const verifyToken = verifierOf(f.tokens);
  const { tenant } = f.tenants;
  const signer = await runSigner({ socket, tenant, verifyToken, clock: stopped, log });
  const client = connectSigner({ socket, clock });
  const staff = await f.tokens.mint({ scope: "commands:operate" });
  const asking = Array.from({ length: 5 }, () => codeOf(client.signCommand(staff, order())));
  assert.equal(new Set(await Promise.all(asking)), new Set(["not_found"]));
  assert.equal(await asked(f, client, 11), [...ok(10), "limit_reached"]);
  await client.close();
  await signer.close();
});

it("signers share their rates, and a new one does not begin anew", async (f) => {
  const file = join(f.dir, "rates.sqlite");
  const start = async (name: string) => {
    const socket = join(f.dir, name);
    const ledger = openRateFile(file, BUCKET_MS_MAX);
    const verifyToken = verifierOf(f.tokens);
    const { tenant } = f.tenants;
    const signer = await runSigner({ socket, tenant, verifyToken, clock: stopped, log, ledger });
    const client = connectSigner({ socket, clock });
    return {
      client,
      close: async () => {
        await client.close();
        await signer.close();
        ledger.close();
      },
    };
  };
  const [one, two] = [await start("one.sock"), await start("two.sock")];
  const codes = [...(await asked(f, one.client, 5)), ...(await asked(f, two.client, 6))];
  const signed = codes.filter((code) => code === "ok").length;
  // What one of them has taken ahead and not used, the other cannot use.
  assert.ok(signed >= 8 && signed <= 10, `a burst, of both together: ${signed}`);
  await one.close();
  await two.close();
  const third = await start("three.sock");
  assert.equal(await asked(f, third.client, 1), ["limit_reached"]);
  await third.close();
});

it("a signer that is killed gains nothing by it", async (f) => {
  const config = join(f.dir, "child.json");
  const socket = join(f.dir, "child.sock");
  const { dir, tokens } = f;
  const signerKey = Buffer.from(f.signerKey).toString("hex");
  const rateFile = join(dir, "killed.sqlite");
  const options = { dir, socket, signerKey, jwk: tokens.jwk, rateFile };
  writeFileSync(config, JSON.stringify(options), { mode: 0o600 });
  const startedMs = Date.now();
  let signed = 0;
  for (let life = 0; life < 4; life += 1) {
    const child = await spawnSigner(config);
    const client = connectSigner({ socket, clock });
    const codes = await asked(f, client, 6);
    signed += codes.filter((code) => code === "ok").length;
    await client.close();
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
  const refilled = Math.ceil((Date.now() - startedMs) / 1000);
  assert.ok(signed >= 6, "it did sign");
  assert.ok(signed <= 10 + refilled, `${signed} signed in ${refilled} s and four lives`);
});

/** Asks for one command after another, each recorded before. */
async function asked(f: Fixture, client: SignerClient, count: number): Promise<string[]> {
  const staff = await f.tokens.mint({ scope: "commands:operate" });
  const store = (await f.registry.tenant(DEMO))?.store;
  const codes: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const one = order();
    if (store !== undefined) await record(store, one);
    codes.push(await codeOf(client.signCommand(staff, one)));
  }
  return codes;
}

function ok(count: number): readonly string[] {
  return Array.from({ length: count }, () => "ok");
}

it("its socket is for this user alone, and for one signer alone", async (f) => {
  assert.is(statSync(f.socket).mode & 0o777, 0o600);
  const again = runSigner({
    socket: f.socket,
    tenant: f.tenants.tenant,
    verifyToken: verifierOf(f.tokens),
    clock,
    log,
  });
  assert.is(await codeOf(again), "conflict");
  assert.is(await codeOf(f.client.signCommand("x", order())), "unauthenticated", "still there");
});

it("takes the place of a dead signer's socket", async (f) => {
  const socket = join(f.dir, "dead.sock");
  writeFileSync(socket, "");
  const { tenant } = f.tenants;
  const signer = await runSigner({ socket, tenant, verifyToken: verifierOf(f.tokens), clock, log });
  const client = connectSigner({ socket, clock });
  assert.is(await codeOf(client.signCommand("x", order())), "unauthenticated");
  await client.close();
  await signer.close();
});

async function dialled(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, "connect");
  return socket;
}
const GARBAGE: readonly { readonly why: string; readonly bytes: Uint8Array }[] = [
  { why: "a frame of no bytes", bytes: new Uint8Array(4) },
  { why: "a frame of 4 GB", bytes: new Uint8Array([255, 255, 255, 255, 0]) },
  { why: "no CBOR", bytes: new Uint8Array([0, 0, 0, 2, 0xff, 0xff]) },
  { why: "an HTTP request", bytes: new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n") },
];
for (const { why, bytes } of GARBAGE) {
  it(`${why} ends that connection and no other`, async (f) => {
    const socket = await dialled(f.socket);
    const closed = once(socket, "close");
    socket.write(bytes);
    await closed;
    assert.is(await codeOf(f.client.signCommand("x", order())), "unauthenticated");
  });
}

it("a frame that begins and never ends has its connection closed in time", async (f) => {
  const socket = join(f.dir, "patient.sock");
  const waits: { readonly ms: number; readonly run: () => void }[] = [];
  const signer = await runSigner({
    socket,
    tenant: f.tenants.tenant,
    verifyToken: verifierOf(f.tokens),
    clock: {
      ...clock,
      after: (ms, run) => {
        waits.push({ ms, run });
        return { cancel: () => undefined };
      },
    },
    log,
  });
  const peer = await dialled(socket);
  const closed = once(peer, "close");
  peer.write(new Uint8Array([0, 0]));
  while (waits.length === 0) await new Promise((done) => setImmediate(done));
  assert.is(waits[0]?.ms, 5000);
  waits[0]?.run();
  await closed;
  await signer.close();
});

it("bytes that trickle in one by one are a frame all the same", async (f) => {
  const socket = await dialled(f.socket);
  // {0: 7}: a request with an id and nothing asked.
  for (const byte of [0, 0, 0, 3, 0xa1, 0, 7]) {
    socket.write(new Uint8Array([byte]));
    await new Promise((done) => setImmediate(done));
  }
  const [answer] = await once(socket, "data");
  assert.match(Buffer.from(answer).toString("latin1"), "malformed");
  socket.destroy();
});

it("a signer that answers nonsense, or nothing and goes, is unavailable to the caller", async (f) => {
  const socket = join(f.dir, "liar.sock");
  let behave = (peer: Socket): void => {
    peer.write(new Uint8Array([0, 0, 0, 1, 0xff]));
  };
  const liar = createServer((peer) => peer.once("data", () => behave(peer)));
  liar.listen(socket);
  await once(liar, "listening");
  const client = connectSigner({ socket, clock });
  assert.is(await codeOf(client.signCommand("x", order())), "unavailable");
  behave = (peer) => peer.destroy();
  assert.is(await codeOf(client.signCommand("x", order())), "unavailable");
  await client.close();
  liar.close();
});

it.run();
