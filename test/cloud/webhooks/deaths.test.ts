/** The sender is killed, at each point of a delivery: nothing is lost, and a message that comes twice is known by its id. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { WebhookDelivery } from "@kerbside/protocol";
import * as assert from "uvu/assert";
import { AUDIT } from "../../conformance/car-log.ts";
import { until } from "../../support/wait.ts";
import { type Context, enrol, idsOf, webhookSuite, work } from "./rig.ts";

const test = webhookSuite("webhooks whose sender dies");

type Point = "claimed" | "answered";

/** Another process over the same files, which is to be killed. */
function startProcess({ files, receiver }: Context, point?: Point): ChildProcess {
  const caFile = join(files.dir, "receiver.pem");
  writeFileSync(caFile, receiver.ca);
  const script = fileURLToPath(new URL("./worker-process.ts", import.meta.url));
  const key = Buffer.from(files.masterKey).toString("hex");
  const words = [script, files.dir, key, caFile, ...(point === undefined ? [] : [point])];
  return spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function killedAt(context: Context, point: Point): Promise<void> {
  const child = startProcess(context, point);
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await until(`it is ${point}`, () => said === `${point}\n`);
  await killed(child);
}

/** As another process takes it over, once whoever had it is taken for dead. */
async function takenOver({ store, id }: Context): Promise<WebhookDelivery> {
  const found: WebhookDelivery[] = [];
  await until("it is given up by who died", async () => {
    const delivery = await store.webhooks.claimDelivery(id, "another", 60_000);
    if (delivery !== undefined) found.push(delivery);
    return delivery !== undefined;
  });
  const [delivery] = found;
  if (delivery === undefined) throw new Error("it was found");
  return delivery;
}

test("killed in the middle of a delivery: what was not taken is sent again, and nothing is lost", async (context) => {
  const { store, receiver } = context;
  receiver.answer = "never";
  const names = [...(await enrol(store, 5))];
  const first = startProcess(context);
  await until("it is under way", () => receiver.heard.length === 1);
  await killed(first);
  receiver.answer = 204;
  names.push(...(await enrol(store, 5)));
  const second = startProcess(context);
  await until("all of it", () => names.every((name) => idsOf(receiver).includes(name)));
  await killed(second);
  const [cut, again] = receiver.heard;
  assert.is(again?.id, cut?.id, "the same message, which receivers know by its id");
  assert.is(again?.body, cut?.body);
  const unique = new Map(receiver.heard.map(({ id, ids }) => [id, ids]));
  assert.equal([...unique.values()].flat(), names);
});

test("killed between claim and delivery, then between delivery and its record: one message at most twice, each try counted", async (context) => {
  const { store, receiver, id } = context;
  const names = [...(await enrol(store, 3))];
  await killedAt(context, "claimed");
  assert.is(receiver.heard.length, 0, "nothing was sent");
  // It would be another message under the same id, if what is claimed followed the change.
  await store.webhooks.changeWebhook(id, { topics: ["vehicle"] }, AUDIT);
  names.push(...(await enrol(store, 2)));
  await killedAt(context, "answered");
  assert.is(receiver.heard.length, 1, "it was sent and taken, and nobody knows");
  const { batch } = await takenOver(context);
  assert.is(
    batch.attempts,
    3,
    "the one that sent nothing, the one that nobody knows of, and this one",
  );
  const again = { at: "again", dueMs: 0, why: "status 500" } as const;
  await store.webhooks.settleDelivery(id, batch.id, "another", again);
  const worker = work(context);
  await until("all of it", () => names.every((name) => idsOf(receiver).includes(name)));
  await until("it is written down", () => / 2$/m.test(worker.metrics()));
  await worker.close();
  assert.equal(
    receiver.heard.map(({ ids }) => ids),
    [names.slice(0, 3), names.slice(0, 3), names.slice(3)],
    "in the feed's order",
  );
  const [sent, twice, last] = receiver.heard;
  assert.equal([twice?.id, twice?.body], [sent?.id, sent?.body]);
  assert.is.not(last?.id, sent?.id);
});

test.run();
