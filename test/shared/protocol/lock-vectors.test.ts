/** The golden vectors of the lock link, as the module and as the controller write and read them. */
import {
  decodeLockPayload,
  encodeGreeting,
  encodeLockFrame,
  encodeLockPayload,
  LOCK_ROLES,
  type LockFrame,
  LockLinkDecoder,
  type LockMessage,
  type LockMessageOf,
  type LockRole,
  lockFrameVerifies,
  lockGreetingKey,
  lockMessageRow,
  lockSessionKey,
  toHex,
  type UnverifiedLockFrame,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Vector, vector, vectorNames } from "./vectors.ts";

const same = (actual: Uint8Array, expected: Uint8Array): void =>
  assert.is(toHex(actual), toHex(expected));

function roleOf(v: Vector): LockRole {
  const role = LOCK_ROLES.find((name) => name === v.text("from"));
  if (role === undefined) throw new Error("vector: from is no role");
  return role;
}

function frameIn(bytes: Uint8Array): UnverifiedLockFrame {
  const [frame, ...rest] = new LockLinkDecoder().push(bytes);
  if (frame === undefined || rest.length > 0) throw new Error("expected one frame");
  return frame;
}

test("vector lock-frame: head, MAC, CRC and stuffing", () => {
  const v = vector("lock-frame");
  const expected = v.json("frame") as LockFrame;
  same(encodeLockFrame(v.hex("key"), roleOf(v), expected), v.hex("bytes"));
  const { type, counter, heard, payload, signed, mac } = frameIn(v.hex("bytes"));
  assert.equal({ type, counter, heard, payload: new Uint8Array(payload) }, expected);
  same(new Uint8Array([...signed, ...mac]), v.hex("body").slice(0, -2));
  assert.ok(lockFrameVerifies(v.hex("key"), "module", frameIn(v.hex("bytes"))));
  assert.not(lockFrameVerifies(v.hex("key"), "controller", frameIn(v.hex("bytes"))));
});

test("vector lock-greeting: hello, welcome and the keys that come of them", () => {
  const v = vector("lock-greeting");
  const hello = v.json("hello") as LockMessageOf<"hello">;
  const welcome = v.json("welcome") as LockMessageOf<"welcome">;
  const key = lockGreetingKey(v.hex("pairing key"));
  same(key, v.hex("greeting key"));
  same(encodeGreeting(key, hello), v.hex("hello frame"));
  same(encodeGreeting(key, welcome), v.hex("welcome frame"));
  for (const [name, message] of [
    ["hello frame", hello] as const,
    ["welcome frame", welcome] as const,
  ]) {
    const frame = frameIn(v.hex(name));
    assert.equal(decodeLockPayload(frame.type, frame.payload), message);
  }
  same(lockSessionKey(v.hex("pairing key"), hello, welcome), v.hex("session key"));
  const other = { ...welcome, firmwarePatch: 2 };
  assert.is.not(
    toHex(lockSessionKey(v.hex("pairing key"), hello, other)),
    v.text("session key"),
    "the key is bound to every byte of the greeting",
  );
});

for (const name of ["lock-status", "lock-actuate", "lock-result"])
  test(`vector ${name}: payload and frame both ways`, () => {
    const v = vector(name);
    const message = v.json("message") as LockMessage;
    const key = v.hex("session key");
    const { code } = lockMessageRow(message.type);
    const counter = Number(v.text("counter"));
    const heard = Number(v.text("heard"));
    const payload = encodeLockPayload(message);
    same(payload, v.hex("payload"));
    const frame = { type: code, counter, heard, payload };
    same(encodeLockFrame(key, roleOf(v), frame), v.hex("bytes"));
    const back = frameIn(v.hex("bytes"));
    assert.equal([back.type, back.counter, back.heard], [code, counter, heard]);
    assert.ok(lockFrameVerifies(key, roleOf(v), back));
    assert.equal(decodeLockPayload(back.type, back.payload), message);
  });

test("every lock link vector of the page was used here", () => {
  const known = ["lock-frame", "lock-greeting", "lock-status", "lock-actuate", "lock-result"];
  assert.equal(
    vectorNames.filter((name) => name.startsWith("lock-")),
    known,
  );
});

test.run();
