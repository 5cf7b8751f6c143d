/** An executor that remembers nothing: commands are run and answered all the same. */
import {
  type CommandResult,
  cryptoReady,
  openResult,
  randomBytes,
  signCommand,
  signingKey,
  tenantId,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { createIntake, createSession } from "@kerbside/uplink";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock, silentLog } from "../../support/runtime.ts";

await cryptoReady();

test("an executor that wants not to know of it is not told that its answer was taken over", async () => {
  const address = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
  const [carKey, commandKey] = [signingKey(randomBytes(32)), signingKey(randomBytes(32))];
  const session = createSession(manualClock(), { bytes: randomBytes, fraction: () => 0 });
  const sent: CommandResult[] = [];
  const intake = createIntake({
    ...{ address, session, signingKey: carKey, log: silentLog },
    commandKey: () => verifyKey(commandKey.publicKey),
    commands: {
      execute: async ({ id }, requestHash) => {
        const verdict = { status: "executed", unmet: [], mayHaveSucceeded: true } as const;
        return { id, requestHash, verdict, replayed: false, durable: true };
      },
    },
    send: (result, taken) => {
      taken();
      sent.push(openResult(verifyKey(carKey.publicKey), result));
    },
  });
  const command = signCommand(commandKey, {
    ...{ ...address, id: randomBytes(16), domain: "body", action: "lock", counter: 1 },
    ...{ epoch: session.epoch(), expiresAtMs: session.sessionMs() + 10_000 },
  });
  await intake.take(command);
  assert.equal(
    sent.map(({ status, durable }) => [status, durable]),
    [["executed", true]],
  );
});

test.run();
