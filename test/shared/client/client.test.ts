/** The client against the real API: typed calls, problems, pages, keys, commands to their end, the feed. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import {
  type Answer,
  type Client,
  type ClientOptions,
  NoAnswer,
  Problem,
  type Send,
} from "@kerbside/client";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { httpsSend } from "../../../scripts/demo/https.ts";
import { clientOf as clientOfRig } from "../../cloud/commands/client.ts";
import { openRig, type Rig } from "../../cloud/commands/rig.ts";
import { root } from "../../house/sources.ts";
import { openFor } from "./example.ts";

type Context = { rig: Rig; token: string };
const test = suite<Context>("the client");
const HOUR = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();

test.before(async (context) => {
  context.rig = await openRig();
  context.token = await context.rig.issuer.mint();
  await context.rig.car.announce();
});
test.after(({ rig }) => rig.close());

const clientOf = ({ rig, token }: Context, more: Partial<ClientOptions> = {}): Client =>
  clientOfRig(rig, token, more);

/** Each an hour later than the one before: no two for the car at once. */
let hours = 2;
function nextBooking(): { readonly body: Record<"vehicle" | "holder" | "from" | "to", string> } {
  hours += 2;
  const from = Date.now() + hours * HOUR;
  return { body: { vehicle: "car-1", holder: "person-1", from: iso(from), to: iso(from + HOUR) } };
}

async function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test("what an operation needs and answers is known by its name", async (context) => {
  const client = clientOf(context);
  const { items } = await client.call("listVehicles");
  assert.equal(
    items.map(({ vehicle }) => vehicle),
    ["car-1", "car-2"],
  );
  const car: Answer<"getVehicle"> = await client.call("getVehicle", { path: { vehicle: "car-1" } });
  assert.is(car.profile, "kerbside-sim/1");
  const wrong = [
    // @ts-expect-error the path has a place
    () => client.call("getVehicle"),
    // @ts-expect-error no such action
    () => client.command("car-1", { action: "fly" }),
    // @ts-expect-error a field that the API would refuse
    () => client.call("createBooking", { body: { ...nextBooking().body, colour: "red" } }),
    // @ts-expect-error not a list
    () => client.pages("getVehicle", { path: { vehicle: "car-1" } }),
  ];
  assert.is(wrong.length, 4, "the compiler refuses each; nothing is sent");
});

test("the worked example of the documentation works, and is the one that stands there", async (context) => {
  const page = readFileSync(join(root, "docs/integrators.md"), "utf8");
  const example = readFileSync(join(root, "test/shared/client/example.ts"), "utf8");
  const code = example.slice(example.indexOf("\n") + 1).trim();
  assert.ok(page.includes(`\`\`\`ts\n${code}\n\`\`\``), "docs/integrators.md has this example");
  const client = clientOf(context);
  assert.is(await openFor(client, "car-1", "person-1"), "executed");
  assert.match(await openFor(client, "car-2", "person-1"), /^not done: /);
});

test("an answer that got lost is asked for again with the same key, and nothing is done twice", async (context) => {
  const { rig } = context;
  const keys: (string | null)[] = [];
  const loses =
    (times: number): Send =>
    async (url, init) => {
      const reply = await httpsSend(rig.port(), rig.ca)(url, init);
      keys.push(new Headers(init.headers).get("idempotency-key"));
      if (keys.length > times) return reply;
      await reply.arrayBuffer();
      throw new TypeError("the connection broke");
    };
  const again = clientOf(context, { send: loses(2), resendMs: 10_000 });
  const asked = nextBooking();
  const made = await again.call("createBooking", asked);
  assert.is(keys.length, 3);
  assert.is(new Set(keys).size, 1, "one key for all");
  const all = clientOf(context).each("listBookings", {});
  const same = (await Array.fromAsync(all)).filter(({ from }) => from === asked.body.from);
  assert.equal(same, [made]);

  keys.length = 0;
  const once = clientOf(context, { send: loses(1) });
  const other = nextBooking();
  const lost = await caught(once.call("createBooking", other));
  assert.ok(lost instanceof NoAnswer && lost.mayHaveSucceeded);
  const { idempotencyKey = "" } = lost;
  assert.is(idempotencyKey, keys[0]);
  const found = await once.call("createBooking", { ...other, idempotencyKey });
  assert.is(found.from, other.body.from);
  keys.length = 0;
  const path = { booking: found.booking };
  const ending = clientOf(context, { send: loses(1), resendMs: 10_000 });
  assert.instance(await caught(ending.call("cancelBooking", { path })), NoAnswer);
  assert.is(keys.length, 1, "what takes no key is never sent again");
  keys.length = 0;
  const read = await ending.call("getBooking", { path });
  assert.equal([read.state, keys.length], ["cancelled", 2], "reading is");
});

test("a problem says what to do next", async (context) => {
  const client = clientOf(context);
  const none = await caught(client.call("getVehicle", { path: { vehicle: "no-car" } }));
  assert.ok(none instanceof Problem);
  assert.equal([none.status, none.code, none.mayHaveSucceeded], [404, "not_found", false]);
  const away = client.command("car-2", { action: "unlock", booking: "none" });
  assert.instance(await caught(Array.fromAsync(away)), Problem);
  const stranger = clientOf(context, { token: () => "nobody" });
  const refused = await caught(stranger.call("listVehicles"));
  assert.ok(refused instanceof Problem && refused.status === 401);
  const climbing = await caught(client.call("getVehicle", { path: { vehicle: "../../x?y#z" } }));
  assert.ok(climbing instanceof Problem && climbing.status === 404, "a place stays a place");
});

test("of an answer that is none of ours nothing good is assumed", async (context) => {
  const gateway = createServer((_request, response) => {
    response.writeHead(502, { "content-type": "text/html", "retry-after": "7" });
    response.end("<h1>Bad gateway</h1>");
  });
  await new Promise<void>((up) => gateway.listen(0, "127.0.0.1", up));
  const at = gateway.address();
  const port = typeof at === "object" ? at?.port : 0;
  const client = clientOf(context, { origin: `http://127.0.0.1:${port}`, send: fetch });
  const read = await caught(client.call("listVehicles"));
  const changed = await caught(client.call("createBooking", nextBooking()));
  assert.ok(read instanceof Problem && changed instanceof Problem);
  assert.equal([read.code, read.retryAfterMs, read.temporary], ["unavailable", 7000, true]);
  assert.equal([read.mayHaveSucceeded, changed.mayHaveSucceeded], [false, true]);
  gateway.closeAllConnections();
  await new Promise((down) => gateway.close(down));
  const gone = await caught(client.call("listVehicles"));
  assert.ok(gone instanceof NoAnswer && !gone.mayHaveSucceeded);
});

test("a list comes page by page, to its end or as far as was asked", async (context) => {
  const client = clientOf(context);
  for (let made = 0; made < 3; made += 1) await client.call("createBooking", nextBooking());
  const all = (await client.call("listBookings")).items.map(({ booking }) => booking);
  const each = await Array.fromAsync(client.each("listBookings", { query: { limit: 1 } }));
  assert.equal(
    each.map(({ booking }) => booking),
    all,
  );
  const some = await Array.fromAsync(client.pages("listBookings", { query: { limit: 1 } }, 2));
  assert.equal([some.length, some.flat().length], [2, 2]);
});

test("the feed goes on where it broke off, and ends when it is told to", async (context) => {
  const { rig } = context;
  const end = new AbortController();
  const seen: string[] = [];
  const lives: boolean[] = [];
  const client = clientOf(context);
  const stood = Promise.withResolvers<void>();
  const live = (is: boolean): void => {
    lives.push(is);
    stood.resolve();
  };
  const both = Promise.withResolvers<void>();
  const following = (async () => {
    for await (const { topic, id } of client.follow("end", { signal: end.signal, live })) {
      if (topic === "booking") seen.push(id);
      if (seen.length === 2) both.resolve();
    }
  })();
  await stood.promise;
  const first = await client.call("createBooking", nextBooking());
  await rig.restartNode();
  const second = await client.call("createBooking", nextBooking());
  await both.promise;
  assert.equal(seen, [first.booking, second.booking]);
  assert.equal(lives.slice(0, 3), [true, false, true]);
  end.abort();
  await following;
  const stranger = clientOf(context, { token: () => "nobody" });
  const refused = await caught(Array.fromAsync(stranger.follow("0")));
  assert.ok(refused instanceof Problem && refused.status === 401, "no use to ask again");
  const token = (): never => {
    throw new RangeError("signed out");
  };
  const out = await caught(Array.fromAsync(clientOf(context, { token }).follow("0")));
  assert.instance(out, RangeError, "nor without a token");
});

test.run();
