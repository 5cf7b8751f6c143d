/** Signatures against the reference, addresses that are refused, and what follows from how a delivery went. */
import { ProtocolError, webhookSecretText, webhookUrl } from "@kerbside/protocol";
import {
  addressRule,
  checkAddress,
  nextStep,
  type Outcome,
  type Resolve,
  sender,
  signatures,
  WEBHOOK_LIMITS,
} from "@kerbside/webhooks";
import { Webhook } from "standardwebhooks";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openReceiver } from "./receiver.ts";

test("the reference vector of Standard Webhooks", () => {
  const secret = Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64");
  const message = {
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    timestampS: 1_614_265_330,
    body: '{"test": 2432232314}',
  };
  assert.is(signatures([secret], message), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
});

test("the reference library takes either of two signatures, and neither of another secret", () => {
  const [before, now, other] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
  if (before === undefined || now === undefined || other === undefined) throw new Error("three");
  const body = "{}";
  const timestampS = Math.floor(Date.now() / 1000);
  const signature = signatures([now, before], { id: "msg_1", timestampS, body });
  const headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(timestampS),
    "webhook-signature": signature,
  };
  for (const secret of [now, before]) new Webhook(webhookSecretText(secret)).verify(body, headers);
  assert.throws(() => new Webhook(webhookSecretText(other)).verify(body, headers));
});

const ADDRESSES = [
  { address: "93.184.216.34", ok: true, why: "public" },
  { address: "2606:2800:220:1::1", ok: true, why: "public" },
  { address: "0.0.0.0", ok: false, why: "this machine" },
  { address: "10.1.2.3", ok: false, why: "private" },
  { address: "100.64.0.1", ok: false, why: "carrier-grade NAT" },
  { address: "100.127.255.255", ok: false, why: "its end" },
  { address: "100.128.0.0", ok: true, why: "beyond it" },
  { address: "127.0.0.1", ok: false, why: "loopback" },
  { address: "169.254.169.254", ok: false, why: "a cloud's metadata" },
  { address: "172.16.0.1", ok: false, why: "private" },
  { address: "172.31.255.255", ok: false, why: "its end" },
  { address: "172.32.0.0", ok: true, why: "beyond it" },
  { address: "192.168.1.1", ok: false, why: "private" },
  { address: "198.18.0.1", ok: false, why: "benchmarks" },
  { address: "224.0.0.1", ok: false, why: "multicast" },
  { address: "255.255.255.255", ok: false, why: "broadcast" },
  { address: "::", ok: false, why: "this machine" },
  { address: "::1", ok: false, why: "loopback" },
  { address: "::ffff:10.0.0.1", ok: false, why: "mapped" },
  { address: "::ffff:93.184.216.34", ok: false, why: "mapped, whatever it maps" },
  { address: "64:ff9b::a00:1", ok: false, why: "NAT64" },
  { address: "64:ff9b:1::a00:1", ok: false, why: "local NAT64" },
  { address: "fc00::1", ok: false, why: "private" },
  { address: "fe80::1", ok: false, why: "link-local" },
  { address: "ff02::1", ok: false, why: "multicast" },
  { address: "2002:a00:1::", ok: false, why: "6to4" },
  { address: "2001:0:1::1", ok: false, why: "Teredo" },
  { address: "2001:db8::1", ok: false, why: "documentation" },
  { address: "localhost", ok: false, why: "no address" },
];

test("only public addresses may be connected to", () => {
  const rule = addressRule();
  for (const { address, ok, why } of ADDRESSES) assert.is(rule(address), ok, `${address}: ${why}`);
  assert.is(addressRule((address) => address === "127.0.0.1")("127.0.0.1"), true, "allowed");
});

test("an address is refused where it is handed in, however it is written", () => {
  const rule = addressRule();
  const refused = (text: string): string => {
    try {
      checkAddress(webhookUrl(text), rule);
      return "taken";
    } catch (error) {
      return error instanceof ProtocolError ? error.code : String(error);
    }
  };
  assert.is(refused("https://hooks.operator.example/a"), "taken");
  for (const text of [
    "http://hooks.operator.example/",
    "https://user:pass@hooks.operator.example/",
    "https://hooks.operator.example/#part",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "file:///etc/passwd",
    `https://a.example/${"x".repeat(600)}`,
    "nonsense",
  ])
    assert.is(refused(text), "malformed", text);
});

const MESSAGE = { headers: {}, body: "{}" };

test("what a name resolves to is judged before it is connected to, each time", async () => {
  const receiver = await openReceiver();
  const answers = [
    ["93.184.216.34", "127.0.0.1"],
    ["127.0.0.1"],
    ["::ffff:127.0.0.1"],
    ["169.254.169.254"],
  ];
  let looks = 0;
  // As a name server of somebody else's would: another answer each time.
  const resolve: Resolve = (_name, _options, done) => {
    const found = answers[looks] ?? [];
    looks += 1;
    done(
      null,
      found.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  };
  const send = sender({ rule: addressRule(), answerMsMax: 5000, ca: receiver.ca, resolve });
  for (const _ of answers) {
    const outcome = await send(new URL(receiver.url), MESSAGE, new AbortController().signal);
    assert.equal(outcome, { at: "failed", why: "ADDRESS_REFUSED" });
  }
  assert.is(looks, answers.length, "one look-up a try");
  const literal = new URL(receiver.url.replace("localhost", "127.0.0.1"));
  const direct = await send(literal, MESSAGE, new AbortController().signal);
  assert.equal(direct, { at: "failed", why: "ADDRESS_REFUSED" });
  assert.is(receiver.heard.length, 0);
  await receiver.close();
});

test("no redirect is followed, a silent receiver is left, a stranger's certificate is refused", async () => {
  const receiver = await openReceiver();
  const rule = addressRule(() => true);
  const { signal } = new AbortController();
  const send = sender({ rule, answerMsMax: 300, ca: receiver.ca });
  receiver.answer = 302;
  receiver.headers = { location: receiver.url, "retry-after": "7" };
  const body = JSON.stringify({ data: { items: [], next: "0" } });
  const message = { headers: {}, body };
  assert.equal(await send(new URL(receiver.url), message, signal), {
    at: "answered",
    status: 302,
    retryAfterMs: 7000,
  });
  assert.is(receiver.heard.length, 1);
  receiver.answer = "never";
  const silent = await send(new URL(receiver.url), message, signal);
  assert.equal(silent, { at: "failed", why: "TIMEOUT" });
  const strange = await sender({ rule, answerMsMax: 5000 })(new URL(receiver.url), message, signal);
  assert.is(strange.at, "failed");
  assert.is(receiver.heard.length, 2);
  await receiver.close();
});

const NOW = 1_790_000_000_000;
const STEPS: readonly {
  readonly why: string;
  readonly outcome: Outcome;
  readonly attempts?: number;
  readonly failingMs?: number;
  readonly becomes: string;
}[] = [
  { why: "any 2xx", outcome: { at: "answered", status: 299 }, becomes: "taken" },
  { why: "a redirect is no", outcome: { at: "answered", status: 307 }, becomes: "again 5000" },
  { why: "no", outcome: { at: "answered", status: 500 }, attempts: 3, becomes: "again 40000" },
  {
    why: "it says when",
    outcome: { at: "answered", status: 429, retryAfterMs: 60_000 },
    becomes: "again 60000",
  },
  {
    why: "it does not say for ever",
    outcome: { at: "answered", status: 503, retryAfterMs: 9e9 },
    becomes: "again 3600000",
  },
  {
    why: "no for the last time",
    outcome: { at: "answered", status: 500 },
    attempts: WEBHOOK_LIMITS.attemptsMax - 1,
    becomes: "dead",
  },
  { why: "gone for good", outcome: { at: "answered", status: 410 }, becomes: "off gone" },
  {
    why: "not reached, however often",
    outcome: { at: "failed", why: "ECONNREFUSED" },
    attempts: 100,
    becomes: "again 3600000",
  },
  {
    why: "not reached for days",
    outcome: { at: "failed", why: "ECONNREFUSED" },
    failingMs: WEBHOOK_LIMITS.unreachedMsMax,
    becomes: "off unreachable",
  },
];

test("what follows from how a delivery went", () => {
  for (const { why, outcome, attempts = 0, failingMs, becomes } of STEPS) {
    const failingSinceMs = failingMs === undefined ? undefined : NOW - failingMs;
    const at = { attempts, failingSinceMs, nowMs: NOW, fraction: 0.5 };
    const step = nextStep(WEBHOOK_LIMITS, at, outcome);
    const words =
      step.at === "again"
        ? `again ${step.dueMs - NOW}`
        : step.at === "off"
          ? `off ${step.off}`
          : step.at;
    assert.is(words, becomes, why);
  }
});

test.run();
