/** The desk at the reader in memory, with a card and a phone that know their keys, and a car that does as it is told. */
import {
  AccessDesk,
  type AccessDeskOptions,
  type AccessFacts,
  type AccessOrder,
  type AccessOutcome,
  type AccessRecord,
  type BoltsSeen,
  GrantStore,
  openAccessRecord,
  type Presentation,
} from "@kerbside/access";
import {
  answerChallenge,
  type CardChip,
  cardIdOf,
  type Grant,
  type GrantAction,
  type LogFields,
  type NewEvent,
  type ReaderSignal,
  randomBytes,
  sealGrantList,
  sha256,
  signGrantList,
  signingKey,
  stepCardChip,
  tenantId,
  toHex,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import * as assert from "uvu/assert";
import { type ManualClock, manualClock, silentLog } from "../../support/runtime.ts";

export const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
export const NOW = Date.UTC(2026, 10, 1);
export const GRANT_KEY = signingKey(randomBytes(32));
const SEED = randomBytes(32);
export const ID_KEY = randomBytes(32);
export const UID = Uint8Array.of(4, 1, 2, 3, 4, 5, 6);
const CARD_KEY = randomBytes(16);
export const PHONE = signingKey(randomBytes(32));
export const PHONE_NAME = toHex(sha256(PHONE.publicKey));
export const CARD_NAME = toHex(cardIdOf(ID_KEY, UID));
export const ALL: readonly GrantAction[] = ["unlock_and_release", "unlock", "lock"];

const base = { booking: "b-1", actions: ALL, fromMs: NOW - 1000, toMs: NOW + 3_600_000 };
export const cardGrant = (id: number, change: Partial<Grant> = {}, idKey = ID_KEY): Grant => ({
  ...{ ...base, id: new Uint8Array(16).fill(id) },
  card: { cardId: cardIdOf(idKey, UID), proof: "keyed", key: CARD_KEY, uidRule: "never" },
  ...change,
});
export const phoneGrant = (id: number, change: Partial<Grant> = {}): Grant => ({
  ...{ ...base, id: new Uint8Array(16).fill(id) },
  phone: { publicKey: PHONE.publicKey },
  ...change,
});
export const CARD: Presentation = { id: 3, kind: "card", uid: UID, keyed: true };
export const TAPPED: Presentation = { id: 4, kind: "phone" };

export type RigKeys = { readonly seed: Uint8Array; readonly grantKey: Uint8Array };
const KEYS: RigKeys = { seed: SEED, grantKey: GRANT_KEY.publicKey };

/** One desk, and all that is said to it and by it. */
export class Rig {
  readonly clock: ManualClock = manualClock();
  readonly shown: string[] = [];
  readonly events: NewEvent[] = [];
  readonly orders: AccessOrder[] = [];
  readonly logged: string[] = [];
  time: AccessFacts["time"] = { value: "known", wallMs: NOW, doubtMs: 10 };
  rental: AccessFacts["rental"] = { value: "none" };
  locked: "yes" | "no" | "unknown" = "yes";
  /** Where its bolts are not all as one. */
  bolts: BoltsSeen | undefined;
  outcome: AccessOutcome = { status: "executed", unmet: [] };
  /** What the order does to the car. */
  onOrder: (order: AccessOrder) => void = () => undefined;
  asks: GrantAction = "unlock";
  carried: Uint8Array | undefined;
  /** In place of what the phone says. */
  garbled: Uint8Array | undefined;
  keptTries = 0;
  holds = 0;
  #chip: CardChip = { value: "idle" };
  readonly grants: GrantStore;
  readonly record: AccessRecord;
  #kept: Uint8Array | undefined;
  readonly desk: AccessDesk;

  readonly #grantKey: Uint8Array;

  /** With tries that were kept from before, and where it is a real cloud's car the keys that it has of that. */
  constructor(
    tries: ReadonlyMap<string, number> = new Map(),
    keys: RigKeys = KEYS,
    record: Uint8Array | undefined = undefined,
  ) {
    this.record = openAccessRecord({
      content: record,
      damaged: false,
      write: async (content) => {
        this.#kept = content;
      },
    });
    this.#grantKey = keys.grantKey;
    this.grants = new GrantStore({
      address: ADDRESS,
      seed: keys.seed,
      grantKey: () => verifyKey(keys.grantKey),
      file: { content: undefined, damaged: false, write: async () => undefined },
      log: silentLog,
    });
    if (tries.size > 0) void this.record.keepTries(tries);
    this.desk = new AccessDesk(this.#options());
  }

  #options(): AccessDeskOptions {
    const log = (event: string, fields: LogFields = {}): void =>
      void this.logged.push(`${event} ${JSON.stringify(fields)}`);
    return {
      address: ADDRESS,
      reader: {
        exchange: async (_, data) => this.#exchange(data),
        askPin: async () => undefined,
        show: (id, signal: ReaderSignal) => this.shown.push(`${id} ${signal}`),
      },
      grants: this.grants,
      record: {
        ...this.record,
        hold: (holder) => {
          this.holds += 1;
          return this.record.hold(holder);
        },
        keepTries: (tries, atMs) => {
          this.keptTries += 1;
          return this.record.keepTries(tries, atMs);
        },
      },
      grantKey: () => verifyKey(this.#grantKey),
      time: () => this.time,
      rental: () => this.rental,
      bolts: () => this.bolts ?? { driver: this.locked, all: this.locked },
      perform: async (order) => {
        this.orders.push(order);
        this.onOrder(order);
        return this.outcome;
      },
      emit: (event) => this.events.push(event),
      clock: this.clock,
      random: { bytes: randomBytes },
      log: { info: log, warn: log, error: log },
    };
  }

  #exchange(data: Uint8Array): Uint8Array {
    if (this.garbled !== undefined) return this.garbled;
    if (data[0] === 0xa4 || data.length > 40)
      return answerChallenge(PHONE, data, this.asks, this.carried);
    const { chip, answer } = stepCardChip(this.#chip, data, CARD_KEY, randomBytes(16));
    this.#chip = chip;
    return answer;
  }

  /** The agent started anew with what this one wrote down. */
  restarted(): Rig {
    return new Rig(new Map(), KEYS, this.#kept);
  }

  async apply(version: number, grants: readonly Grant[], idKey = ID_KEY): Promise<void> {
    const list = { ...ADDRESS, version, issuedAtMs: NOW, cardIdKey: idKey, grants };
    const sealed = sealGrantList(signingKey(SEED).publicKey, signGrantList(GRANT_KEY, list));
    assert.is((await this.grants.apply(sealed)).kind, "applied");
    await this.desk.listApplied();
  }

  async present(presentation: Presentation): Promise<NewEvent | undefined> {
    this.desk.present(presentation);
    await this.desk.settled();
    return this.events.at(-1);
  }

  get held(): readonly string[] {
    return this.record.holders().map(({ grant }) => `${grant.booking} ${grant.id[0]}`);
  }
}
