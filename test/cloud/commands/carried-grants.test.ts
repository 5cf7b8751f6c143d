/** A grant that a phone carries, from the API by the real signer to the real desk of the car, and taken back meanwhile. */
import { randomUUID } from "node:crypto";
import { cryptoReady, parsePush } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PHONE, Rig as Reader, TAPPED } from "../../device/access/desk-rig.ts";
import { until } from "../../support/wait.ts";
import { openRig, type Rig } from "./rig.ts";

await cryptoReady();
const HOUR_MS = 3_600_000;
const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
const iso = (ms: number): string => new Date(ms).toISOString();

/** A car of the rig's, whose desk takes what the cloud pushes once a test lets it. */
class Story {
  readonly #rig: Rig;
  readonly #token: string;
  readonly reader: Reader;
  #version = 0;

  constructor(rig: Rig, token: string) {
    this.#rig = rig;
    this.#token = token;
    this.reader = new Reader(new Map(), { seed: rig.car.seed, grantKey: rig.grantKey });
  }

  async post(path: string, body: object = {}): Promise<Record<string, string>> {
    const headers = { "idempotency-key": randomUUID() };
    const url = `/v1/tenants/demo${path}`;
    const reply = await this.#rig.ask({
      ...{ method: "POST", path: url, token: this.#token, body, headers },
    });
    assert.ok(reply.status < 300, reply.text);
    return reply.body;
  }

  async book(): Promise<string> {
    const from = Date.now() - 1000;
    const times = { from: iso(from), to: iso(from + HOUR_MS) };
    const { booking } = await this.post("/bookings", {
      vehicle: "car-1",
      holder: "p-1",
      ...times,
    });
    return String(booking);
  }

  async grant(booking: string, publicKey: Uint8Array): Promise<string> {
    const body = { actions: ["unlock"], phone: b64(publicKey) };
    return String((await this.post(`/bookings/${booking}/grants`, body))["grant"]);
  }

  /** The phone fetches it. */
  async carries(grant: string): Promise<void> {
    const { carried } = await this.post(`/grants/${grant}/carry`);
    this.reader.carried = Buffer.from(String(carried), "base64url");
  }

  /** The car takes the newest list, which must be of that version, and confirms it. */
  async takesList(version: number): Promise<void> {
    await this.#rig.car.announce({ grantsVersion: this.#version, reason: "change" });
    await until(`list ${version}`, async () => {
      const push = this.#rig.car.taken.at(-1);
      const parsed = push?.channel === "artefact" ? parsePush(push.payload) : undefined;
      if (parsed?.kind === "grants") await this.reader.grants.apply(parsed.sealed);
      return this.reader.grants.confirmedVersion() === version;
    });
    this.#version = version;
    await this.#rig.car.announce({ grantsVersion: version, reason: "change" });
  }

  async state(grant: string): Promise<string | undefined> {
    const path = "/v1/tenants/demo/vehicles/car-1/grants";
    const { body } = await this.#rig.ask({ path, token: this.#token });
    const items: readonly { readonly grant: string; readonly state: string }[] = body.items;
    return items.find((item) => item.grant === grant)?.state;
  }

  /** By what the phone was let in, or why it was not. */
  async tap(): Promise<string> {
    this.reader.time = { value: "known", wallMs: Date.now(), doubtMs: 10 };
    const event = await this.reader.present(TAPPED);
    if (event?.kind === "access.used") return event.data.proof;
    return event?.kind === "access.refused" ? event.data.reasons.join(" ") : "nothing";
  }
}

const it = suite<{ rig: Rig; car: Story }>("carried grants");
it.before(async (context) => {
  context.rig = await openRig();
  context.car = new Story(context.rig, await context.rig.issuer.mint());
});
it.after(({ rig }) => rig.close());

it("once the car has confirmed the list after a cancelled booking, what the phone carries opens nothing", async ({
  car,
}) => {
  const booking = await car.book();
  await car.carries(await car.grant(booking, PHONE.publicKey));
  assert.is(await car.tap(), "carried", "to a car that has no list yet");
  await car.post(`/bookings/${booking}/cancel`);
  await car.takesList(2);
  assert.is(await car.tap(), "carried_superseded");
});

it("once the car has confirmed the revocation, what the phone carries opens nothing", async ({
  car,
}) => {
  const booking = await car.book();
  const grant = await car.grant(booking, PHONE.publicKey);
  await car.takesList(3);
  await car.carries(grant);
  assert.is(await car.tap(), "phone", "listed, and carried too");
  await car.post(`/grants/${grant}/revoke`);
  await car.takesList(4);
  assert.is(await car.state(grant), "revoked");
  assert.is(await car.tap(), "carried_superseded");
  await car.post(`/bookings/${booking}/cancel`);
});

it("a phone booked after the list of a car without coverage opens it, also after other changes that reach it", async ({
  car,
}) => {
  const booking = await car.book();
  const other = await car.grant(booking, new Uint8Array(32).fill(9));
  await car.takesList(5);
  await car.carries(await car.grant(booking, PHONE.publicKey));
  assert.is(await car.tap(), "carried", "the car has list 5, it was made after list 6");
  await car.post(`/grants/${other}/revoke`);
  await car.takesList(7);
  assert.is(await car.tap(), "phone", "the list in force names it");
});

it.run();
