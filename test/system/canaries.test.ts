/**
 * P-22, P-31, P-41, P-42: personal data is sent through every path of a running cloud and a real agent, and then looked
 * for in all that they leave behind: databases, logs, metrics, temporary files, backups, mails, errors, process titles.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COMMANDS, runCli } from "@kerbside/cloud";
import { SPANS, tenantId } from "@kerbside/protocol";
import { clientSeal, openRegistry } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { TENANT, VEHICLE } from "../../scripts/demo/parts.ts";
import { makePki } from "../cloud/identity/pki.ts";
import {
  type Canary,
  found,
  newCanaries,
  sweep,
  temporaryFilesIn,
  titles,
} from "../support/canaries.ts";
import { catchMail, type MailCatcher } from "../support/mail-catcher.ts";
import { spansOf } from "../support/otlp.ts";
import { type Receiver, receive } from "../support/receiver.ts";
import { World } from "../support/world.ts";

const PASSWORD = "tall grass by the canal";
const PLACES = 6;
const canary = newCanaries();
const { cardUid, ...profile } = canary;
const backupKey = randomBytes(32).toString("base64url");

type Context = {
  base: string;
  world: World;
  mail: MailCatcher;
  central: Receiver;
  collector: Receiver;
  /** What was sent, and what the car says of itself. */
  all: readonly Canary[];
  restore: () => void;
};
const test = suite<Context>("canaries");

test.before(async (context) => {
  context.base = mkdtempSync(join(tmpdir(), "kerbside-canaries-"));
  const temporary = join(context.base, "tmp");
  mkdirSync(temporary);
  context.restore = temporaryFilesIn(temporary);
  const pki = await makePki();
  context.mail = await catchMail({ key: pki.server.key, cert: pki.server.cert });
  context.central = await receive({ key: pki.server.key, cert: pki.server.cert });
  context.collector = await receive({ key: pki.server.key, cert: pki.server.cert });
  const ca = join(context.base, "smtp-ca.pem");
  writeFileSync(ca, pki.platform.rootCertificate);
  const telemetry = join(context.base, "telemetry.json");
  const traces = join(context.base, "traces.json");
  for (const [file, { port }] of [
    [telemetry, context.central],
    [traces, context.collector],
  ] as const) {
    const to = { url: `https://localhost:${port}/push`, token: "a".repeat(16) };
    const trusted = { ...to, ca: pki.platform.rootCertificate };
    writeFileSync(file, JSON.stringify(trusted), { mode: 0o600 });
  }
  context.world = await World.cloudOnly([
    ...["--smtp", `localhost:${context.mail.port}`, "--smtp-ca", ca],
    ...["--mail-from", "cloud@example.test", "--telemetry", telemetry],
    ...["--traces", traces, "--traces-share", "1"],
  ]);
  await context.world.join();
});
test.after(async ({ base, world, mail, central, collector, restore }) => {
  await world[Symbol.asyncDispose]();
  await mail[Symbol.asyncDispose]();
  await central[Symbol.asyncDispose]();
  await collector[Symbol.asyncDispose]();
  restore();
  rmSync(base, { recursive: true, force: true });
});

const post = (body: Json) =>
  ({ method: "POST", headers: { "idempotency-key": randomUUID() }, body }) as const;

/** A command line beside the cloud that runs, with its development secrets; in this process, which is quicker. */
async function cli(world: World, words: readonly string[], env = {}): Promise<string> {
  let [out, err] = ["", ""];
  const code = await runCli(COMMANDS, [...words, "--data", world.paths.cloud], {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: { USER: "tester", ...env },
    stop: new AbortController().signal,
  });
  assert.is(code, 0, `${words.join(" ")}: ${err}`);
  assert.equal(found([{ what: "password", value: PASSWORD }], out + err), []);
  return out;
}

async function account(world: World, user: string, role: string, more: readonly string[]) {
  const issuer = `https://localhost:${world.ports.https}`;
  const who = ["--tenant", TENANT, "--user", user, "--role", role, "--issuer", issuer];
  const out = await cli(world, ["account", "create", ...who, ...more, "--json"]);
  const { link } = JSON.parse(out) as { readonly link: string };
  const form = { token: new URL(link).searchParams.get("token") ?? "", password: PASSWORD };
  const body = new URLSearchParams(form).toString();
  const done = await world.cloud.call("/oauth/people/reset/finish", { method: "POST", body });
  assert.is(done.status, 200);
}

async function rental(world: World, person: string): Promise<void> {
  const now = Date.now();
  const times = { from: new Date(now - 60_000), to: new Date(now + 3_600_000) };
  const made = await world.backend.must(
    "/bookings",
    post({ vehicle: VEHICLE, holder: person, ...times }),
  );
  const booking = String(made["booking"]);
  const key = randomBytes(16).toString("hex");
  const card = { uid: cardUid, proof: "keyed", key, uidRule: "never" };
  await world.backend.must(
    `/bookings/${booking}/grants`,
    post({ actions: ["unlock_and_release", "lock"], card }),
  );
  await world.until("the car to confirm the card", async () => {
    const { items } = await world.backend.must(`/vehicles/${VEHICLE}/grants`);
    return Array.isArray(items) && isJson(items[0]) && items[0]["state"] === "active";
  });
  await world.until("the card to open the car", async () => {
    const { shown } = await world.cockpit("/api/tap", { kind: "card", uid: cardUid, key });
    return shown === "granted";
  });
  await world.cockpit("/api/script", { driveSeconds: 5 });
  assert.is((await world.command("end_rental", booking))["state"], "executed");
}

test("personal data goes through every path, and answers those who may ask", async (context) => {
  const { world, mail } = context;
  const made = await world.backend.must("/people", post({ profile }));
  await rental(world, String(made["person"]));
  // With a name the link alone would not do (P-72).
  await account(world, profile.name.replace(" ", "."), "operator", ["--email", profile.email]);
  const body = new URLSearchParams({ tenant: TENANT, user: profile.name.replace(" ", ".") });
  await world.cloud.call("/oauth/people/reset", { method: "POST", body: body.toString() });
  await world.until("the mail is there", async () => mail.mails.length > 0);

  const seen = await world.backend.must(`/people/${String(made["person"])}`);
  assert.equal(seen["profile"], profile, "who may see it sees it");
  let places: readonly Canary[] = [];
  await world.until("positions are in the store", async () => {
    const data = (await world.rows()).map((row) => row["data"]).filter(isJson);
    places = data.flatMap((each) =>
      (["latitude", "longitude"] as const).flatMap((what) => {
        const value = each[what];
        // A short number may stand anywhere by chance.
        return typeof value === "number" && `${value}`.length > 8 ? [{ what, value }] : [];
      }),
    );
    // A few of different places: each is searched for in every byte there is.
    const different = new Map(places.map((place) => [place.value, place]));
    places = [...different.values()].slice(-PLACES);
    return places.length === PLACES;
  });
  const { vin } = await world.cockpit("/api/state");
  const texts = Object.entries({ ...canary, vin: String(vin) });
  context.all = [...texts.map(([what, value]) => ({ what, value })), ...places];
});

test("P-61 support reads a car's events, and what it reads stays where it was read", async ({
  world,
}) => {
  for (const role of ["operator", "support", "manager"])
    await account(world, role, role, ["--email", `${role}@example.test`]);
  const as = (user: string, words: readonly string[]) =>
    cli(world, [...words, "--tenant", TENANT, "--user", user, "--json"], {
      KERBSIDE_PASSWORD: PASSWORD,
    });
  const idOf = (out: string, name: string): string => String(JSON.parse(out)[name]);
  const opened = await as("operator", ["support", "ticket", "--words", "does not open"]);
  const ticket = ["--ticket", idOf(opened, "ticket"), "--reason", "look at its events"];
  const asked = await as("support", ["support", "request", ...ticket, "--vehicle", VEHICLE]);
  const request = ["--request", idOf(asked, "request")];
  await as("manager", ["support", "approve", ...request]);
  const out = await as("support", ["support", "query", ...request]);
  assert.match(out, /latitude/);
});

test("P-41 what is refused is not said back, and not written down", async ({ world, all }) => {
  const texts = all.map(({ value }) => encodeURIComponent(String(value)));
  const headers = {
    "user-agent": profile.name,
    "x-forwarded-for": profile.phone,
    traceparent: `00-${profile.name}`,
    tracestate: `a=${profile.phone}`,
  };
  const answers: unknown[] = [];
  for (const text of texts) {
    const asks = [
      world.cloud.call(`/v1/tenants/${text}/vehicles/${text}`, { headers }),
      world.backend.ask(`/vehicles/${text}`, { headers }),
      world.backend.ask(`/events?after=${text}`, { headers }),
      world.backend.ask(`/events?kind=${text}&from=${text}`, { headers }),
      world.backend.ask("/people", post({ profile: { email: { [text]: text } } })),
      world.backend.ask("/people", post({ [text]: text })),
      world.backend.ask("/bookings", post({ vehicle: text, holder: text, from: text, to: text })),
      world.cloud.call("/oauth/token", {
        method: "POST",
        headers: { authorization: `Basic ${Buffer.from(`${text}:${text}`).toString("base64")}` },
        body: `grant_type=${text}`,
      }),
    ];
    answers.push(...(await Promise.all(asks)));
  }
  const statuses = answers.map((answer) => (isJson(answer) ? answer["status"] : undefined));
  assert.ok(
    statuses.every((status) => typeof status === "number" && status >= 400 && status < 500),
    JSON.stringify(statuses),
  );
  assert.equal(found(all, JSON.stringify(answers)), []);
});

/** What somebody who runs the platform scrapes. */
async function metrics(world: World): Promise<string> {
  const { cloud: dir } = world.paths;
  const secretOf = (name: string): Uint8Array =>
    Buffer.from(readFileSync(join(dir, "secrets", name), "utf8").trim(), "base64url");
  const registry = await openRegistry({ dir, masterKey: secretOf("master-key") });
  const client = { client: "scraper", tenant: tenantId(TENANT), scopes: ["platform:metrics"] };
  const entry = { actor: "test", action: "client.create", subject: "s", outcome: "done" } as const;
  const seal = clientSeal(secretOf("issuer-key"));
  const secret = await registry.platform.createClient(client, seal, entry);
  await registry.close();
  const { body } = await world.cloud.call("/oauth/token", {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`scraper:${secret}`).toString("base64")}` },
    body: "grant_type=client_credentials",
  });
  const authorization = `Bearer ${isJson(body) ? String(body["access_token"]) : ""}`;
  const answer = await world.cloud.call("/metrics", { headers: { authorization } });
  assert.is(answer.status, 200);
  return String(answer.body);
}

test("P-42 metrics, mails and process titles hold nothing of it", async ({ world, mail, all }) => {
  const text = await metrics(world);
  assert.match(text, /kerbside_http_request_seconds_count/);
  assert.equal(found(all, text), []);
  const status = await world.cloud.call("/status.json");
  const parts = isJson(status.body) ? status.body["parts"] : undefined;
  assert.is(Array.isArray(parts) && parts.filter(isJson).filter((p) => p["up"]).length, 5, "P-91");
  assert.equal(found(all, JSON.stringify(status.body)), []);
  const own: readonly string[] = ["email"];
  for (const each of mail.mails)
    assert.equal(
      found(all, each).filter((what) => !own.includes(what)),
      [],
      "a mail holds a link and the address it goes to",
    );
  assert.equal(found(all, titles()), []);
});

test("P-22 P-31 no file holds any of it in the clear: databases, logs, backups, temporary files", async ({
  base,
  world,
  central,
  collector,
  all,
}) => {
  const to = join(world.paths.data, "backup");
  await cli(world, ["backup", "--to", to], { KERBSIDE_BACKUP_KEY: backupKey });
  const ofTheCar = join(world.paths.data, "sim");
  assert.equal(sweep(base, all, [ofTheCar]), [], "while everything runs");
  const known: readonly Canary[] = [{ what: "car", value: VEHICLE }];
  const places = sweep(world.paths.data, known, [ofTheCar]).join("\n");
  assert.match(places, /store\.sqlite/, "what is not personal is found, so the search works");
  const logs = (["cloud", "agent"] as const).map((part) =>
    readFileSync(world.paths.log(part), "utf8"),
  );
  for (const log of logs) assert.match(log, /"msg":/, "both have a log");
  await world.agent.stop();
  await world.cloud.program.stop();
  assert.equal(sweep(base, all, [ofTheCar]), [], "at rest");
  const pushed = central.bodies.join("\n");
  assert.match(pushed, /kerbside_billing_total/, "P-42 totals were pushed, at the end at least");
  assert.equal(found(all, pushed), []);
  const traces = collector.bodies.join("\n");
  assert.equal(found(all, traces), [], "P-41 traces hold nothing of it");
  assert.not.match(traces, new RegExp(`${VEHICLE}|Bearer [^a]`));
  const spans = spansOf(collector.bodies);
  const names = new Set(spans.map(({ name }) => name));
  assert.equal([...names].sort(), Object.keys(SPANS).sort(), "of every kind there is one");
  const asked = spans.find(({ attributes }) => attributes["operation"] === "signCommand");
  const whole = spans.filter(({ traceId }) => traceId === asked?.traceId);
  for (const name of ["api.request", "store", "signer", "broker.send", "car.answer"])
    assert.ok(
      whole.some((span) => span.name === name),
      `a command's trace has ${name}`,
    );
  const password = { what: "password", value: PASSWORD };
  assert.equal(sweep(base, [password], [ofTheCar]), []);
});

test.run();
