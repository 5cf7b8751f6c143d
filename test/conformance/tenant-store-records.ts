/** What every engine of the tenant store must do with records: vehicles, bookings, audit, commands, keys. */
import {
  type AuditEntry,
  type CommandChange,
  type OpenedSegment,
  ProtocolError,
  randomBytes,
  type TenantStore,
  tenantId,
  type VehicleId,
} from "@kerbside/protocol";
import * as assert from "uvu/assert";
import { AUDIT, booking, CAR, CarLog, command, OTHER_CAR, refuses, TENANT } from "./car-log.ts";
import type { It } from "./tenant-store.ts";

export function recordConformance(it: It): void {
  recordTests(it);
  trailTests(it);
  commandTests(it);
  stepTests(it);
  artefactTests(it);
  keyTests(it);
}

function recordTests(it: It): void {
  it("vehicles and sessions are kept", async ({ store, again }) => {
    const record = {
      vehicle: CAR,
      profile: "kerbside-sim",
      signingKey: randomBytes(32),
      certificateSerial: "0A",
      enrolledAtMs: 5,
    };
    await store.putVehicle(record, AUDIT);
    await store.putVehicle({ ...record, revokedAtMs: 9 }, AUDIT);
    const second = await again();
    assert.equal(await second.vehicle(CAR), { ...record, revokedAtMs: 9 });
    assert.equal(await second.vehicles(), [{ ...record, revokedAtMs: 9 }]);
    assert.is(await store.vehicle(OTHER_CAR), undefined);
    const session = {
      tenant: tenantId(TENANT),
      vehicle: CAR,
      epoch: randomBytes(16),
      sessionMs: 12,
      reason: "start",
      announcement: 1,
      timeNonce: randomBytes(16),
      agentVersion: "1.0.0",
      profile: "kerbside-sim@1",
    } as const;
    const announced = {
      vehicle: CAR,
      session,
      envelope: randomBytes(80),
      receivedAtMs: 77,
      online: true,
    };
    await store.putSession(announced);
    assert.equal(await second.session(CAR), announced);
    assert.is(await store.sessionGone(CAR, randomBytes(16)), false, "another epoch");
    assert.is((await store.session(CAR))?.online, true);
    assert.is(await store.sessionGone(CAR, session.epoch), true);
    assert.is((await second.session(CAR))?.online, false);
  });

  it("a booking takes a version only after the one before", async ({ store, again }) => {
    await store.putBooking(booking("b-1", 1), AUDIT);
    const rows: readonly [why: string, version: number][] = [
      ["the same version", 1],
      ["a version left out", 3],
      ["none", 0],
    ];
    for (const [why, version] of rows)
      await refuses("conflict", store.putBooking(booking("b-1", version), AUDIT), why);
    await (await again()).putBooking(booking("b-1", 2, { state: "open", holder: "p-é" }), AUDIT);
    assert.equal(await store.booking("b-1"), booking("b-1", 2, { state: "open", holder: "p-é" }));
    await store.putBooking(booking("b-0", 1, { vehicle: OTHER_CAR, fromMs: 1 }), AUDIT);
    assert.equal(
      (await store.bookings()).map((b) => b.booking),
      ["b-0", "b-1"],
    );
    assert.is((await store.bookings(CAR)).length, 1);
    assert.is((await store.auditTrail(0, 100)).length, 3, "a refused write leaves no record");
  });
}

function trailTests(it: It): void {
  it("P-50 the audit trail keeps what it was given, in order", async ({ store, again }) => {
    const entries: AuditEntry[] = [
      AUDIT,
      { ...AUDIT, outcome: "refused", reason: "no scope", from: "192.0.2.1" },
    ];
    for (const entry of entries) await store.audit(entry);
    await (await again()).audit(AUDIT);
    const trail = await store.auditTrail(0, 10);
    assert.equal(
      trail.map(({ seq }) => seq),
      [1, 2, 3],
    );
    const { atMs, seq, ...second } = trail[1] ?? { atMs: 0, seq: 0 };
    assert.equal(second, entries[1]);
    assert.ok(atMs > 1_600_000_000_000 && seq === 2);
    assert.equal(await store.auditTrail(2, 10), trail.slice(2));
  });

  it("counters never give a number twice, whoever asks", async ({ store, again }) => {
    const second = await again();
    for (let i = 1; i <= 50; i += 1) await store.createCommand(command(i), AUDIT);
    const asked = Array.from({ length: 50 }, (_, i) =>
      counterOf(i % 2 === 0 ? store : second, command(i + 1).id),
    );
    const given = await Promise.all(asked);
    assert.is(new Set(given).size, 50);
    assert.equal(
      given,
      given.toSorted((a, b) => a - b),
      "each above the one before",
    );
  });

  it("counters of a store that was restored are above those that a car has taken", async (engine) => {
    const { store } = engine;
    const before = Date.now();
    for (const i of [1, 2]) await store.createCommand(command(i), AUDIT);
    const counter = await counterOf(store, command(1).id);
    assert.ok(counter >= before, "a store without a memory of it begins at the time");
    assert.ok((await counterOf(store, command(2).id)) > counter);
  });

  it("P-51 a signing is its counter, its step and its record, or none of them", async (engine) => {
    const { store } = engine;
    const { id } = await store.createCommand(command(1), AUDIT);
    const by = { requestHash: randomBytes(32), requestSeal: randomBytes(32) };
    const signing = { ...AUDIT, action: "signer.sign_command" };
    await store.signCommand(id, signing, () => by);
    const signed = await store.command(id);
    assert.equal(
      [signed?.state, signed?.requestHash, signed?.requestSeal],
      ["signed", by.requestHash, by.requestSeal],
    );
    const trail = await store.auditTrail(0, 10);
    assert.equal(
      trail.map(({ action }) => action),
      [AUDIT.action, "signer.sign_command"],
    );
    const counter = await counterOf(store, id);
    const broken = store.signCommand(id, signing, () => {
      throw new ProtocolError("unavailable", "no key");
    });
    await refuses("unavailable", broken);
    assert.is((await store.auditTrail(0, 10)).length, 3);
    await refuses(
      "not_found",
      store.signCommand("ff", signing, () => by),
    );
    const cancelled = { change: { state: "cancelled" }, atMs: 1, audit: AUDIT } as const;
    const { id: second } = await store.createCommand(command(2), AUDIT);
    await store.stepCommand(second, [cancelled]);
    await refuses("conflict", counterOf(store, second));
    await store.createCommand(command(3), AUDIT);
    assert.ok((await counterOf(store, command(3).id)) > counter);
  });
}

async function counterOf(store: TenantStore, id: string): Promise<number> {
  let given = 0;
  await store.signCommand(id, AUDIT, (counter) => {
    given = counter;
    return { requestHash: randomBytes(32), requestSeal: randomBytes(32) };
  });
  return given;
}

function commandTests(it: It): void {
  it("an idempotency key belongs to its requester and gives the first command", async (engine) => {
    const { store, again } = engine;
    const first = await store.createCommand(command(1), AUDIT);
    const same = command(2, { idempotencyKey: first.idempotencyKey, requestDigest: "bb" });
    const racing = await again();
    assert.equal(await racing.createCommand(same, AUDIT), first);
    assert.is(await store.command(same.id), undefined);
    const foreign = { ...same, requestedBy: "another" };
    assert.equal(await store.createCommand(foreign, AUDIT), foreign);
    assert.equal(
      (await store.commands(CAR, 10)).map((c) => c.id),
      [foreign.id, first.id],
      "the newest first",
    );
    assert.is((await store.commands(CAR, 1)).length, 1);
    assert.is((await store.auditTrail(0, 10)).length, 2);
  });

  it("final states are never left, but unknown by a result of the car", async ({ store }) => {
    const result = {
      tenant: tenantId(TENANT),
      vehicle: CAR,
      id: randomBytes(16),
      requestHash: randomBytes(32),
      status: "executed",
      replayed: false,
      unmet: [],
      durable: true,
      mayHaveSucceeded: false,
      sessionMs: 4,
    } as const;
    const { id } = await store.createCommand(command(1), AUDIT);
    const requestHash = randomBytes(32);
    const rows: readonly [why: string, change: CommandChange, after: string][] = [
      ["signed", { state: "signed", requestHash }, "signed"],
      ["sent", { state: "sent" }, "sent"],
      ["a step that comes late", { state: "signed" }, "sent"],
      ["signed again for a newer session", { state: "signed", requestHash }, "signed"],
      ["received", { state: "received" }, "received"],
      ["sent, which comes late", { state: "sent" }, "received"],
      ["nobody knows", { state: "unknown", error: "unknown_outcome" }, "unknown"],
      ["no result", { state: "failed" }, "unknown"],
      ["unknown again", { state: "unknown", result }, "unknown"],
      ["the car's result, late", { state: "executed", result }, "executed"],
      ["another result", { state: "refused", result }, "executed"],
      ["back again", { state: "unknown" }, "executed"],
      ["signed again, after the end", { state: "signed", requestHash }, "executed"],
    ];
    for (const [why, change, after] of rows)
      assert.is(
        (await store.stepCommand(id, [{ change, atMs: 1, audit: AUDIT }])).state,
        after,
        why,
      );
    const stored = await store.command(id);
    assert.equal(stored?.result, result);
    assert.equal(stored?.requestHash, requestHash);
    assert.equal(
      stored?.steps.map((step) => step.state),
      ["accepted", "signed", "sent", "signed", "received", "unknown", "executed"],
    );
  });
}

function artefactTests(it: It): void {
  it("of what is published the newest version is kept, and never an older one", async (engine) => {
    const { store, again } = engine;
    const made = (version: number, more: object = {}) =>
      ({
        kind: "scheme",
        name: "fast",
        version,
        envelope: Uint8Array.of(1, version),
        content: Uint8Array.of(2, version),
        publishedAtMs: version,
        ...more,
      }) as const;
    await store.putArtefact(made(2), AUDIT);
    assert.equal(await store.artefact("scheme", "fast"), made(2));
    await refuses("conflict", store.putArtefact(made(1), AUDIT));
    await refuses("conflict", store.putArtefact(made(2, { content: Uint8Array.of(9) }), AUDIT));
    await store.putArtefact(made(3, { vehicles: [CAR, OTHER_CAR] }), AUDIT);
    await store.putArtefact({ ...made(1), kind: "rental" }, AUDIT);
    const second = await again();
    const { content: _, ...head } = made(3, { vehicles: [CAR, OTHER_CAR] });
    assert.equal((await second.artefacts())[1], head, "in the list without its content");
    assert.is((await second.artefacts()).length, 2);
    assert.is(await second.artefact("profile", "fast"), undefined);
    assert.is((await second.auditTrail(0, 10)).length, 3, "what was refused is not there");
  });
}

function stepTests(it: It): void {
  it("several steps at once are one commit, each where it may be taken", async ({ store }) => {
    const requestHash = randomBytes(32);
    const passed = (["signed", "sent", "received", "sent", "executed"] as const).map(
      (state, i) => ({
        change: { state, requestHash },
        atMs: i,
        audit: AUDIT,
      }),
    );
    const { id: whole } = await store.createCommand(command(2), AUDIT);
    assert.equal((await store.stepCommand(whole, passed)).steps.slice(1), [
      { state: "signed", atMs: 0 },
      { state: "sent", atMs: 1 },
      { state: "received", atMs: 2 },
      { state: "executed", atMs: 4 },
    ]);
  });

  it("a command that is armed has a deadline of its own", async ({ store }) => {
    const { deadlineMs } = await store.createCommand(command(3), AUDIT);
    const armed = { state: "armed", deadlineMs: deadlineMs + 60_000 } as const;
    const waits = await store.stepCommand(command(3).id, [
      { change: armed, atMs: 1, audit: AUDIT },
    ]);
    assert.is(waits.deadlineMs, armed.deadlineMs);
    assert.is((await store.command(command(3).id))?.deadlineMs, armed.deadlineMs, "it is kept");
    await refuses(
      "not_found",
      store.stepCommand("ff", [{ change: { state: "sent" }, atMs: 1, audit: AUDIT }]),
    );
  });
}

function keyTests(it: It): void {
  it("P-31 a subject's key opens only its own, and destroyed it is gone", async (engine) => {
    const { subjectKeys } = engine.store;
    const text = new TextEncoder().encode("52.5200, 13.4050");
    const bound = new TextEncoder().encode("here");
    const sealed = await subjectKeys.seal("person:p1", text, bound);
    const second = (await engine.again()).subjectKeys;
    assert.equal(await second.open("person:p1", sealed, bound), text);
    await subjectKeys.seal("person:p2", text, bound);
    await refuses("unauthenticated", second.open("person:p2", sealed, bound));
    await refuses("unauthenticated", second.open("person:p1", sealed, text));
    await refuses("unauthenticated", second.open("person:p1", sealed.slice(0, 20), bound));
    await subjectKeys.destroy("person:p1");
    await subjectKeys.destroy("person:p1");
    await refuses("not_found", second.open("person:p1", sealed, bound), "in the other view too");
    await refuses("not_found", subjectKeys.seal("person:p1", text, bound), "for good");
  });

  it("P-31 destroying a vehicle's key erases its events and no other's", async ({ store }) => {
    const log = new CarLog();
    const other = new CarLog(OTHER_CAR);
    const events = (l: CarLog): OpenedSegment => l.next("state", [l.position(1), l.note(2, "n")]);
    await store.commitSegments([events(log), events(other)]);
    await store.subjectKeys.destroy(`vehicle:${CAR}`);
    const datas = async (vehicle: VehicleId): Promise<readonly boolean[]> =>
      (await store.events({ vehicle, limit: 10 })).items.map(
        (item) => "data" in item && item.data === null,
      );
    assert.equal(await datas(CAR), [true, false], "the note is not personal");
    assert.equal(await datas(OTHER_CAR), [false, false]);
    assert.is((await store.latest(CAR))[0]?.data, null);
    assert.equal(await store.commitSegments([events(log)]), ["stored"], "the car goes on");
    assert.equal(await datas(CAR), [true, false, true, false]);
  });
}
