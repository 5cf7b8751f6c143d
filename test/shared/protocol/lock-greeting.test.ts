import {
  decodeLockPayload,
  encodeGreeting,
  encodeLockFrame,
  encodeLockPayload,
  LOCK_MESSAGES,
  LOCK_SILENCE_MS_MAX,
  LockLinkDecoder,
  lockGreetingKey,
  lockSessionKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CONTROLLER_ID, MODULE_ID, newPair, PAIRING_KEY, readyPair } from "./lock-pair.ts";

/** What `readyPair` greets with, so that a test can make frames that no session would. */
const HELLO = {
  type: "hello",
  versionMin: 1,
  versionMax: 1,
  moduleId: MODULE_ID,
  moduleNonce: new Uint8Array(16).fill(0x11),
} as const;
const WELCOME = {
  type: "welcome",
  version: 1,
  controllerId: CONTROLLER_ID,
  moduleNonce: HELLO.moduleNonce,
  controllerNonce: new Uint8Array(16).fill(0x81),
  firmwareMajor: 2,
  firmwareMinor: 5,
  firmwarePatch: 1,
} as const;

test("lock link: two ends greet, and know each other", () => {
  const { module, controller } = readyPair();
  assert.equal(module.state, {
    value: "ready",
    sinceMs: 0,
    version: 1,
    peer: { role: "controller", id: new Uint8Array(8).fill(0xc2), firmware: "2.5.1" },
  });
  assert.is(controller.state.value, "ready");
});

test("lock link: a controller that shares no version says so, and opens nothing", () => {
  const { controller } = newPair({ module: PAIRING_KEY, controller: PAIRING_KEY });
  const hello = encodeGreeting(lockGreetingKey(PAIRING_KEY), {
    type: "hello",
    versionMin: 2,
    versionMax: 9,
    moduleId: MODULE_ID,
    moduleNonce: new Uint8Array(16),
  });
  const [frame] = new LockLinkDecoder().push(controller.receive(hello, 0).bytesOut);
  const welcome = decodeLockPayload(frame?.type ?? 0, frame?.payload ?? new Uint8Array());
  assert.is(welcome.type === "welcome" && welcome.version, 0);
  assert.is(controller.state.value, "closed");
});

for (const version of [0, 2])
  test(`lock link: a welcome to version ${version} closes the module as incompatible`, () => {
    const { module } = newPair({ module: PAIRING_KEY, controller: PAIRING_KEY });
    module.open(0);
    const welcome = encodeGreeting(lockGreetingKey(PAIRING_KEY), {
      type: "welcome",
      version,
      controllerId: new Uint8Array(8),
      moduleNonce: new Uint8Array(16).fill(0x11),
      controllerNonce: new Uint8Array(16),
      firmwareMajor: 1,
      firmwareMinor: 0,
      firmwarePatch: 0,
    });
    assert.equal(module.receive(welcome, 1).bytesOut, new Uint8Array());
    assert.equal(module.state, { value: "closed", reason: "incompatible" });
  });

test("lock link: a greeting counts as 0, so no frame of a session can pass for one", () => {
  const { controller } = newPair({ module: PAIRING_KEY, controller: PAIRING_KEY });
  const frame = { type: LOCK_MESSAGES.hello.code, counter: 1, heard: 0 };
  const bytes = encodeLockFrame(lockGreetingKey(PAIRING_KEY), "module", {
    ...frame,
    payload: encodeLockPayload(HELLO),
  });
  assert.is(controller.receive(bytes, 0).bytesOut.length, 0);
  assert.is(controller.counts.macErrors, 1);
});

test("lock link: bytes that arrive after silence find the session over", () => {
  const { controller, module } = readyPair();
  controller.receive(new Uint8Array(), LOCK_SILENCE_MS_MAX);
  assert.equal(controller.state, { value: "closed", reason: "silence" });
  const step = module.receive(new Uint8Array(), LOCK_SILENCE_MS_MAX);
  assert.is(module.state.value, "greeting");
  assert.ok(step.bytesOut.length > 0, "the module asks again");
});

test("lock link: a frame that claims to have heard what was never sent is not acted upon", () => {
  const { controller } = readyPair();
  const key = lockSessionKey(PAIRING_KEY, HELLO, WELCOME);
  const payload = Uint8Array.of(0, 0, 0, 1, 2);
  const frame = { type: LOCK_MESSAGES.actuate.code, counter: 9, heard: 1000, payload };
  assert.equal(controller.receive(encodeLockFrame(key, "module", frame), 0).messages, []);
  assert.is(controller.counts.late, 1);
});

test("lock link: an authentic frame that is not understood is refused by name, once", () => {
  const key = lockSessionKey(PAIRING_KEY, HELLO, WELCOME);
  const payload = Uint8Array.of(1);
  for (const [code, reason] of [
    [0x7f, "unsupported"],
    [LOCK_MESSAGES.statusReport.code, "unsupported"],
    [LOCK_MESSAGES.actuate.code, "malformed"],
  ] as const) {
    const pair = readyPair();
    const frame = { type: code, counter: 9, heard: 0, payload };
    const { messages, bytesOut } = pair.controller.receive(
      encodeLockFrame(key, "module", frame),
      0,
    );
    const [answer] = new LockLinkDecoder().push(bytesOut);
    const said = decodeLockPayload(answer?.type ?? 0, answer?.payload ?? new Uint8Array());
    assert.equal(said, { type: "nak", counter: 9, reason });
    assert.equal(messages, []);
    const nak = { ...frame, type: LOCK_MESSAGES.nak.code, counter: 10 };
    assert.is(pair.controller.receive(encodeLockFrame(key, "module", nak), 0).bytesOut.length, 0);
  }
});

test.run();
