/** P-23: payments by a provider, which is a real HTTPS server here; what is kept is its token, for as long as the person. */
import { createServer, type Server } from "node:https";
import { ProtocolError, tenantId, utf8 } from "@kerbside/protocol";
import { PAYMENTS_SECRET, type SqliteTenantStore } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, refuses } from "../../conformance/car-log.ts";
import { person } from "../../conformance/people-store.ts";
import { makeCertificate } from "../../sim/rig.ts";
import { allBytes, type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const NOW_MS = Date.UTC(2026, 10, 21);
const KEY = "sk_test_0123456789abcdef";
const CHARGE = { reference: "b-1", amountMinor: 1250, currency: "EUR" };

/** Keeps tokens and charges as a provider does: each reference is charged once. */
class Provider {
  readonly live = new Set<string>();
  readonly charged = new Map<string, string>();
  readonly paths: string[] = [];
  declines = false;
  /** In place of an answer. */
  says: { readonly status: number; readonly body: string } | "hangs up" | undefined;
  hangsUpAt = "";
  #tokens = 0;
  readonly #server: Server;
  readonly ca: string;

  constructor({ certificate, key }: Awaited<ReturnType<typeof makeCertificate>>) {
    this.ca = certificate;
    this.#server = createServer({ key, cert: certificate }, (request, response) => {
      let text = "";
      request.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      request.on("end", () => {
        this.paths.push(request.url ?? "");
        if (this.says === "hangs up" || request.url === this.hangsUpAt) return response.destroy();
        if (request.headers.authorization !== `Bearer ${KEY}`) return response.writeHead(401).end();
        const { status, body } = this.says ?? this.#answer(request.url ?? "", JSON.parse(text));
        return response.writeHead(status).end(body);
      });
    });
  }

  async open(): Promise<Uint8Array> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    const address = this.#server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const url = `https://localhost:${port}/v1/`;
    return utf8(JSON.stringify({ url, token: KEY, ca: this.ca }));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  #answer(path: string, { token = "", reference = "" }: { token?: string; reference?: string }) {
    const is = this.live.has(token);
    switch (path) {
      case "/v1/tokens": {
        this.#tokens += 1;
        const made = `tok_canary_${this.#tokens}`;
        this.live.add(made);
        return said(201, { token: made, page: `https://pay.example/p/${this.#tokens}` });
      }
      case "/v1/tokens/verify":
        return is ? said(200, { live: true }) : said(404, {});
      case "/v1/charges": {
        if (!is) return said(409, {});
        if (this.declines) return said(200, { charge: "ch_0", state: "declined" });
        const charge = this.charged.get(reference) ?? `ch_${this.charged.size + 1}`;
        this.charged.set(reference, charge);
        return said(200, { charge, state: "charged" });
      }
      case "/v1/tokens/revoke":
        return said(this.live.delete(token) ? 204 : 404, undefined);
      default:
        return said(404, {});
    }
  }
}
const said = (status: number, body: object | undefined) => ({
  status,
  body: body === undefined ? "" : JSON.stringify(body),
});

type World = { files: TestRegistry; store: SqliteTenantStore; provider: Provider; who: string };
const test = suite<World>("payments");
let certificate: Awaited<ReturnType<typeof makeCertificate>>;
test.before(async () => {
  certificate = await makeCertificate();
});
test.before.each(async (world) => {
  world.provider = new Provider(certificate);
  const secret = await world.provider.open();
  world.files = await testRegistry(() => NOW_MS);
  await world.files.create("demo", ({ vault }) => vault.put(PAYMENTS_SECRET, secret));
  const tenant = await world.files.registry.tenant(tenantId("demo"));
  if (tenant === undefined) throw new ProtocolError("not_found", "demo");
  world.store = tenant.store;
  const record = person({ profile: { name: "Canary" } });
  world.who = record.person;
  await world.store.people.putPerson(record, AUDIT);
});
test.after.each(async ({ files, provider }) => {
  await files.close();
  await provider.close();
});

const suspend = async ({ store, who }: World): Promise<void> => {
  const record = await store.people.person(who);
  if (record === undefined) throw new Error("no person");
  await store.people.putPerson({ ...record, state: "suspended", suspendedAtMs: 1 }, AUDIT);
};

test("P-23 a card is the provider's, its token is kept sealed, and a charge goes by it, once", async (world) => {
  const { store, provider, who, files } = world;
  await refuses("conflict", store.payments.charge(who, CHARGE, AUDIT), "no card yet");
  const { page } = await store.payments.begin(who, AUDIT);
  assert.match(page, /^https:\/\/pay\.example\/p\/1$/);
  assert.is((await store.people.person(who))?.profile.paymentToken, "tok_canary_1");
  const charged = { charge: "ch_1", state: "charged" };
  assert.equal(await store.payments.charge(who, CHARGE, AUDIT), charged);
  assert.equal(await store.payments.charge(who, CHARGE, AUDIT), charged, "the same reference");
  assert.is(provider.charged.size, 1);
  assert.is((await store.people.person(who))?.paidAtMs, NOW_MS, "P-81: ten years from here");
  provider.declines = true;
  const declined = await store.payments.charge(who, { ...CHARGE, reference: "b-2" }, AUDIT);
  assert.is(declined.state, "declined");
  await store.payments.begin(who, AUDIT);
  assert.equal([...provider.live], ["tok_canary_2"], "another card takes the place of the first");
  const trail = (await store.auditTrail(0, 100)).map(({ outcome, reason }) => [outcome, reason]);
  assert.equal(trail.slice(2, 4), [
    ["asked", "b-1: 1250 EUR"],
    ["done", "b-1: 1250 EUR, charged"],
  ]);
  assert.equal(trail.at(-2), ["refused", "b-2: 1250 EUR, declined"]);
  const bytes = allBytes(files.dir);
  assert.ok(bytes.includes("1250 EUR"), "what is not sealed is found, so the search works");
  for (const secret of ["tok_canary", KEY]) assert.not(bytes.includes(secret), secret);
  assert.not(
    provider.paths.some((path) => path.includes("tok_")),
    "no address holds a token",
  );
});

test("P-23 a token is revoked before the person's key is destroyed, or the erasure waits", async (world) => {
  const { store, provider, who } = world;
  await store.payments.begin(who, AUDIT);
  await refuses("conflict", store.people.erasePerson(who, AUDIT), "not suspended");
  assert.is(provider.live.size, 1, "nothing is given up that is not erased");
  await suspend(world);
  provider.says = "hangs up";
  await refuses("unavailable", store.people.erasePerson(who, AUDIT));
  assert.equal(await store.people.endDue(AUDIT), {
    suspended: 0,
    erased: 0,
    certified: 0,
    kept: 1,
  });
  assert.is((await store.people.person(who))?.profile.paymentToken, "tok_canary_1");
  provider.says = undefined;
  assert.is((await store.people.endDue(AUDIT)).erased, 1);
  assert.is(provider.live.size, 0);
  assert.equal((await store.people.person(who))?.profile, {});
});

test("P-23 an answer that is not as agreed is none, and one that holds a card number least of all", async (world) => {
  const { store, provider, who } = world;
  const rows: readonly [why: string, says: Provider["says"]][] = [
    [
      "a card number for a token",
      said(201, { token: "4111111111111111", page: "https://x.test/" }),
    ],
    [
      "a card number anywhere",
      said(201, { token: "tok_12345", page: "https://x.test/", of: "4111 1111 1111 1111" }),
    ],
    ["a page without TLS", said(201, { token: "tok_12345", page: "http://x.test/" })],
    ["no JSON", { status: 200, body: "<html>" }],
    ["a list", { status: 200, body: "[]" }],
    ["an error", said(500, {})],
    ["too long", { status: 200, body: `"${"x".repeat(20_000)}"` }],
    ["nothing", "hangs up"],
  ];
  for (const [why, says] of rows) {
    provider.says = says;
    await refuses("unavailable", store.payments.begin(who, AUDIT), why);
  }
  assert.is((await store.people.person(who))?.profile.paymentToken, undefined);
  provider.says = undefined;
  await store.payments.begin(who, AUDIT);
  const charge = store.payments.charge(who, CHARGE, AUDIT);
  provider.says = "hangs up";
  await refuses("unavailable", charge, "it was not even verified");
  provider.says = undefined;
  provider.hangsUpAt = "/v1/charges";
  await refuses(
    "unknown_outcome",
    store.payments.charge(who, CHARGE, AUDIT),
    "perhaps it was made",
  );
  const last = (await store.auditTrail(0, 100)).at(-1);
  assert.equal([last?.outcome, last?.reason], ["asked", "b-1: 1250 EUR"]);
  await suspend(world);
  await refuses("conflict", store.payments.charge(who, CHARGE, AUDIT), "suspended");
  await world.files.create("other");
  const other = (await world.files.registry.tenant(tenantId("other")))?.store;
  await refuses(
    "unavailable",
    other?.payments.begin(who, AUDIT) ?? Promise.resolve(),
    "no provider",
  );
});

test.run();
