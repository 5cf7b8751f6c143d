import { type Life, type LifeEvent, next } from "@kerbside/commands";
import {
  COMMAND_STATES,
  type CommandResult,
  type CommandState,
  RESULT_STATUSES,
  type ResultStatus,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const HASH = new Uint8Array(32).fill(7);
const OTHER_HASH = new Uint8Array(32).fill(8);

function result(status: ResultStatus, requestHash: Uint8Array = HASH): CommandResult {
  return {
    tenant: tenantId("demo"),
    vehicle: vehicleId("car-1"),
    id: new Uint8Array(16),
    requestHash,
    status,
    replayed: false,
    unmet: [],
    durable: true,
    mayHaveSucceeded: false,
    sessionMs: 1,
  };
}

const answered = (status: ResultStatus, newerSession = false, hash = HASH): LifeEvent => ({
  kind: "result",
  result: result(status, hash),
  newerSession,
});
const life = (state: CommandState, more: Partial<Life> = {}): Life => ({
  state,
  signings: 1,
  requestHash: HASH,
  answered: false,
  ...more,
});

type Row = {
  readonly why: string;
  readonly life: Life;
  readonly event: LifeEvent;
  /** The state stepped to, or what else comes of it. */
  readonly gives: CommandState | "resign" | "ignore";
  readonly error?: string;
};
const fresh: Life = { state: "accepted", signings: 0, answered: false };
const ROWS: readonly Row[] = [
  { why: "signed", life: fresh, event: { kind: "signed", requestHash: HASH }, gives: "signed" },
  { why: "sent", life: life("signed"), event: { kind: "sent" }, gives: "sent" },
  {
    why: "a result came before the sending was recorded",
    life: life("received"),
    event: { kind: "sent" },
    gives: "ignore",
  },
  {
    why: "nobody listens",
    life: life("signed"),
    event: { kind: "not_done", code: "vehicle_offline" },
    gives: "failed",
    error: "vehicle_offline",
  },
  {
    why: "the way broke while sending: it may have gone out",
    life: life("signed"),
    event: { kind: "doubtful" },
    gives: "unknown",
    error: "unknown_outcome",
  },
  { why: "taken over", life: life("sent"), event: answered("received"), gives: "received" },
  {
    why: "taken over twice",
    life: life("received"),
    event: answered("received"),
    gives: "ignore",
  },
  { why: "done", life: life("received"), event: answered("executed"), gives: "executed" },
  { why: "it waits on the car", life: life("received"), event: answered("armed"), gives: "armed" },
  { why: "armed twice", life: life("armed"), event: answered("armed"), gives: "ignore" },
  {
    why: "armed, and not heard of by the end of its waiting",
    life: life("armed"),
    event: { kind: "deadline" },
    gives: "unknown",
    error: "unknown_outcome",
  },
  { why: "the car stood", life: life("armed"), event: answered("executed"), gives: "executed" },
  {
    why: "`received` was lost",
    life: life("sent"),
    event: answered("executed"),
    gives: "executed",
  },
  {
    why: "a result outruns the record of the sending",
    life: life("signed"),
    event: answered("executed"),
    gives: "executed",
  },
  {
    why: "refused",
    life: life("received"),
    event: answered("refused"),
    gives: "refused",
    error: "refused",
  },
  {
    why: "too late",
    life: life("sent"),
    event: answered("expired"),
    gives: "expired",
    error: "expired",
  },
  {
    why: "the car crashed in between and says so",
    life: life("received"),
    event: answered("unknown"),
    gives: "unknown",
    error: "unknown_outcome",
  },
  {
    why: "deadline after sending: nobody knows",
    life: life("sent"),
    event: { kind: "deadline" },
    gives: "unknown",
    error: "unknown_outcome",
  },
  {
    why: "deadline after signing: a crash may have hidden the sending",
    life: life("signed"),
    event: { kind: "deadline" },
    gives: "unknown",
    error: "unknown_outcome",
  },
  {
    why: "deadline before signing: nothing can have gone out",
    life: fresh,
    event: { kind: "deadline" },
    gives: "failed",
    error: "unavailable",
  },
  {
    why: "a late signed result resolves unknown",
    life: life("unknown"),
    event: answered("executed"),
    gives: "executed",
  },
  {
    why: "so does a late refusal",
    life: life("unknown", { answered: true }),
    event: answered("refused"),
    gives: "refused",
    error: "refused",
  },
  {
    why: "the same signed `unknown` again",
    life: life("unknown", { answered: true }),
    event: answered("unknown"),
    gives: "ignore",
  },
  {
    why: "`received` does not reopen it",
    life: life("unknown"),
    event: answered("received"),
    gives: "ignore",
  },
  {
    why: "another session, known to the cloud",
    life: life("sent"),
    event: answered("stale_session", true),
    gives: "resign",
  },
  {
    why: "another session, not announced yet",
    life: life("sent"),
    event: answered("stale_session"),
    gives: "failed",
    error: "stale_session",
  },
  {
    why: "signed twice already",
    life: life("sent", { signings: 2 }),
    event: answered("stale_session", true),
    gives: "failed",
    error: "stale_session",
  },
  {
    why: "nobody waits for it any more",
    life: life("unknown"),
    event: answered("stale_session", true),
    gives: "failed",
    error: "stale_session",
  },
  {
    why: "a third signing",
    life: life("signed", { signings: 2 }),
    event: { kind: "signed", requestHash: HASH },
    gives: "ignore",
  },
];

for (const row of ROWS) {
  test(`${row.life.state}, ${row.why}: ${row.gives}`, () => {
    const step = next(row.life, row.event);
    assert.is(step.kind === "step" ? step.change.state : step.kind, row.gives);
    if (step.kind === "step") assert.is(step.change.error, row.error);
  });
}

test("a result for another request changes nothing, in any state", () => {
  for (const state of COMMAND_STATES) {
    for (const status of RESULT_STATUSES) {
      assert.is(next(life(state), answered(status, true, OTHER_HASH)).kind, "ignore");
      assert.is(
        next({ state, signings: 0, answered: false }, answered(status, true)).kind,
        "ignore",
      );
    }
  }
});

test("a car that was thought to be out of reach, and answers, is believed", () => {
  const heard = (status: (typeof RESULT_STATUSES)[number]) =>
    next(life("failed"), answered(status, true));
  for (const status of ["executed", "refused", "expired", "unknown"] as const) {
    const step = heard(status);
    assert.is(step.kind === "step" ? step.change.state : step.kind, status);
  }
  for (const status of ["received", "armed", "stale_session"] as const) {
    assert.is(heard(status).kind, "ignore");
  }
  const settled = life("failed", { answered: true });
  assert.is(next(settled, answered("executed", true)).kind, "ignore", "the car said it did not");
});

test("a final state other than unknown and failed is never left", () => {
  const events: readonly LifeEvent[] = [
    { kind: "signed", requestHash: HASH },
    { kind: "sent" },
    { kind: "not_done", code: "unavailable" },
    { kind: "doubtful" },
    { kind: "deadline" },
    ...RESULT_STATUSES.map((status) => answered(status, true)),
  ];
  for (const state of ["executed", "refused", "expired", "cancelled"] as const) {
    for (const event of events) assert.is(next(life(state), event).kind, "ignore");
  }
});

test.run();
