/** What a car that announces itself is told though the signer was away. */
import { answerAnnouncements } from "@kerbside/commands";
import {
  ProtocolError,
  randomBytes,
  type SessionRecord,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../support/wait.ts";
import { clock, log } from "./rig.ts";

const TENANT = tenantId("demo");
const announced = (announcement: number): SessionRecord => ({
  vehicle: vehicleId("car-1"),
  session: {
    tenant: TENANT,
    vehicle: vehicleId("car-1"),
    epoch: randomBytes(16),
    sessionMs: 0,
    reason: "start",
    announcement,
    timeNonce: randomBytes(16),
    agentVersion: "0.1.0",
    profile: "kerbside-sim/1",
  },
  envelope: Uint8Array.of(announcement),
  receivedAtMs: 1,
  online: true,
});

/** `fails` is how often the signer is away, whatever it is asked. */
function listening(fails: number) {
  const asked: number[] = [];
  const told: number[] = [];
  const ends = new AbortController();
  const tell = answerAnnouncements({
    signer: {
      answerTime: async (_, envelope) => {
        asked.push(envelope[0] ?? 0);
        if (asked.length <= fails) throw new ProtocolError("unavailable", "signer: is away");
        return envelope;
      },
    },
    downlink: {
      send: async (_, channel, payload) => {
        if (channel === "time") told.push(payload[0] ?? 0);
      },
    },
    keys: async () => undefined,
    grants: { announced: async () => undefined },
    artefacts: { announced: async () => undefined },
    clock,
    closing: ends.signal,
    log,
  });
  return { asked, told, ends, tell: (n: number) => tell(TENANT, announced(n)) };
}

test("a signer that was away hears of an announcement once it is back, and the car what time it is", async () => {
  const { asked, told, tell } = listening(2);
  await tell(1);
  assert.equal([asked, told], [[1], []]);
  await until("the time", () => told.length > 0);
  assert.equal([asked, told], [[1, 1, 1], [1]]);
});

test("of two announcements only the newer is asked for again, and of none once the node ends", async () => {
  const { asked, told, tell, ends } = listening(2);
  await tell(1);
  await tell(2);
  await until("the time", () => told.length > 0);
  assert.equal([asked, told], [[1, 2, 2], [2]]);
  const later = listening(9);
  await later.tell(1);
  later.ends.abort();
  ends.abort();
});

test.run();
