import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCollector, createSignalStore } from "@kerbside/can";
import { artefactTaker, keepersOf, openShelves } from "@kerbside/device";
import { openPolicyStore } from "@kerbside/immobiliser";
import {
  type ArtefactKind,
  artefactCodec,
  artefactId,
  DEFAULT_RENTAL_POLICY,
  decode,
  encode,
  type Log,
  type NewEvent,
  type Push,
  parseSign1,
  REFUSED_MAX,
  randomBytes,
  rentalPolicyCodec,
  type SigningKey,
  sha256,
  signArtefact,
  signingKey,
  tenantId,
  utf8,
  type VerifyKey,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CarFrames } from "../support/car-frames.ts";
import { manualClock } from "../support/runtime.ts";
import { until } from "../support/wait.ts";

const signer = signingKey(randomBytes(32));
const stranger = signingKey(randomBytes(32));
const tenant = tenantId("demo");

function pushOf(
  kind: ArtefactKind,
  name: string,
  version: number,
  content: Uint8Array,
  key: SigningKey = signer,
): Push {
  const contentHash = sha256(content);
  const manifest = signArtefact(key, { tenant, kind, name, version, contentHash });
  return { kind: "artefact", manifest, content };
}

function scheme(version: number, key?: SigningKey): Push {
  const rule = { name: "fast", on: "change", signals: ["Vehicle.Speed"] };
  const text = JSON.stringify({ format: 1, name: "tried", version, priority: 9, rules: [rule] });
  return pushOf("scheme", "tried", version, utf8(text), key);
}

async function car(dir: string) {
  const clock = manualClock();
  clock.pass(1000);
  const said: string[] = [];
  const say = (message: string): void => void said.push(message);
  const log: Log = { info: say, warn: say, error: say };
  const config = { dataDir: dir, tenant, profile: "kerbside-sim" };
  const shelves = await openShelves(config, log);
  const { profile } = shelves.profile;
  const store = createSignalStore({ profile, clock });
  const events: NewEvent[] = [];
  const emit = (event: NewEvent): void => void events.push(event);
  const schemes = shelves.schemes.schemes();
  const collector = createCollector({ profile, store, clock, emit, schemes });
  const policy = await openPolicyStore(join(dir, "policy"), { tenant });
  let announced = 0;
  const trusted: { key: VerifyKey | undefined } = { key: verifyKey(signer.publicKey) };
  const take = artefactTaker({
    ...{ clock, emit, log, key: () => trusted.key },
    keepers: keepersOf(shelves, policy, collector, { apply: () => undefined }),
    receipts: shelves.receipts,
    changed: () => {
      announced += 1;
    },
  });
  const frames = new CarFrames(profile, clock);
  const drive = (kmh: number): void => {
    clock.pass(40);
    frames.send(store, { SPEED: { VehicleSpeed: kmh } });
  };
  /** Hands it over and waits for what is said of it. */
  const settle = async (push: Push): Promise<string> => {
    const before = said.length;
    take(push);
    await until("an answer", () => said.length > before);
    return said.at(-1) ?? "";
  };
  const close = async (): Promise<void> => {
    collector.close();
    store.close();
    await policy.close();
    await shelves.receipts.close();
  };
  const { announces } = shelves.receipts;
  return {
    announces,
    announced: () => announced,
    clock,
    events,
    policy,
    trusted,
    drive,
    settle,
    close,
  };
}

const tried = (events: readonly NewEvent[]): number =>
  events.filter(({ kind, data }) => kind === "signals.changed" && data.scheme === "tried").length;

async function inFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-artefacts-"));
  await work(dir).finally(() => rmSync(dir, { recursive: true }));
}

test("of what was refused the latest are told, as many as an announcement may say", () =>
  inFolder(async (dir) => {
    const { settle, announces, close } = await car(dir);
    const wrong = Array.from({ length: REFUSED_MAX + 3 }, (_, i) =>
      pushOf("scheme", `wrong-${i}`, 1, utf8("no scheme")),
    );
    for (const push of wrong) await settle(push);
    const refused = announces().artefactsRefused ?? [];
    assert.equal(
      refused.map(({ artefact }) => artefact),
      wrong.slice(-REFUSED_MAX).map(idOf),
    );
    await close();
  }));

test("each one is told of as kept or refused, also after a restart, and what was forged is not told of", () =>
  inFolder(async (dir) => {
    const first = await car(dir);
    assert.equal(first.announces(), { artefacts: [], artefactsRefused: [] });
    const [two, one] = [scheme(2), scheme(1)];
    await first.settle(two);
    assert.equal(first.announces().artefacts, [idOf(two)]);
    await first.settle(one);
    assert.equal(first.announces().artefactsRefused, [
      { artefact: idOf(one), reason: "scheme tried: 1 after 2" },
    ]);
    await first.settle(scheme(3, signingKey(randomBytes(32))));
    assert.is(first.announces().artefacts?.length, 1);
    assert.is(first.announces().artefactsRefused?.length, 1, "nobody knows who made it");
    assert.is(first.announced(), 2);
    await first.settle(two);
    assert.equal(first.announces().artefacts, [idOf(two)], "the same again is the same");
    await first.close();
    const second = await car(dir);
    assert.equal(second.announces(), first.announces());
    const three = scheme(3);
    await second.settle(three);
    assert.equal(second.announces().artefacts, [idOf(three)], "in the place of the one before");
    await second.close();
  }));

test("a policy that comes again, because its receipt was lost, is taken as what it is", () =>
  inFolder(async (dir) => {
    const policy = { ...DEFAULT_RENTAL_POLICY, unstartedMs: 1000 };
    const push = pushOf("rental", "city", 4, encode(rentalPolicyCodec, policy));
    const first = await car(dir);
    await first.settle(push);
    await first.close();
    rmSync(join(dir, "receipts.a"), { force: true });
    rmSync(join(dir, "receipts.b"), { force: true });
    const second = await car(dir);
    assert.equal(second.announces().artefacts, []);
    assert.is(await second.settle(push), "artefact.applied");
    assert.equal(second.announces(), { artefacts: [idOf(push)], artefactsRefused: [] });
    const other = encode(rentalPolicyCodec, { ...policy, unstartedMs: 2000 });
    assert.is(await second.settle(pushOf("rental", "city", 4, other)), "artefact.refused");
    await second.close();
  }));

function idOf(push: Push): Uint8Array {
  if (push.kind !== "artefact") throw new Error("no artefact");
  return artefactId(decode(artefactCodec, parseSign1(push.manifest).payload));
}

test("a pushed scheme collects at once, and still does after a restart", () =>
  inFolder(async (dir) => {
    const first = await car(dir);
    first.drive(10);
    assert.is(tried(first.events), 0);
    assert.is(await first.settle(scheme(1)), "artefact.applied");
    first.drive(20);
    assert.ok(tried(first.events) > 0);
    await first.close();
    const second = await car(dir);
    second.drive(30);
    assert.ok(tried(second.events) > 0);
    await second.close();
  }));

test("a refused artefact is a fault, changes nothing, and many are counted, not told one by one", () =>
  inFolder(async (dir) => {
    const { settle, events, drive, trusted, clock, close } = await car(dir);
    assert.is(await settle(scheme(5)), "artefact.applied");
    for (const wrong of [
      scheme(4),
      scheme(6, stranger),
      pushOf("scheme", "tried", 6, utf8("{")),
      pushOf("flow", "a", 1, utf8("{}")),
      pushOf("profile", "other", 9, utf8("{}")),
      pushOf("rental", "rental", 1, utf8("{}")),
    ]) {
      assert.is(await settle(wrong), "artefact.refused");
    }
    trusted.key = undefined;
    clock.pass(60_000);
    assert.is(await settle(scheme(7)), "artefact.refused", "no key, no belief");
    const faults = events.flatMap(({ kind, data }) => (kind === "fault.raised" ? [data] : []));
    assert.equal(
      faults.map(({ code, count }) => `${code} ${count}`),
      ["artefact.refused 1", "artefact.refused 6"],
    );
    assert.match(faults[0]?.detail ?? "", /conflict: scheme tried: 4 after 5/);
    drive(20);
    assert.ok(tried(events) > 0, "the last good one goes on");
    await close();
  }));

test("a rental policy goes to its keeper", () =>
  inFolder(async (dir) => {
    const { settle, policy, close } = await car(dir);
    const content = encode(rentalPolicyCodec, DEFAULT_RENTAL_POLICY);
    assert.is(await settle(pushOf("rental", "rental", 3, content)), "artefact.applied");
    assert.is(policy.version(), 3);
    await close();
  }));

test.run();
