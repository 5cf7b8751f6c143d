/**
 * Whoever is held to the reader, from being presented to being answered: proof, evaluation, the order to the
 * immobiliser, what is shown, what is written down. One at a time; the next one waits outside.
 */
import {
  type Address,
  type Clock,
  cardIdOf,
  type EventData,
  equalBytes,
  type Grant,
  type GrantAction,
  type Log,
  type NewEvent,
  type Random,
  sha256,
  toHex,
  type VerifyKey,
} from "@kerbside/protocol";
import { proveCard } from "./card-proof.ts";
import {
  type AccessFacts,
  evaluate,
  grantsOfCard,
  grantsOfPhone,
  isInRental,
  type Offer,
  type OfferedGrant,
  type Reason,
} from "./evaluate.ts";
import type { GrantStore } from "./grant-store.ts";
import { hearPhone } from "./phone-proof.ts";
import type { Presentation, ReaderDriver } from "./reader-driver.ts";
import type { AccessRecord, Holder } from "./record.ts";
import { type BoltsSeen, type FailedTap, tapAction } from "./tap.ts";
import { type Tries, TryLimits } from "./tries.ts";

/** What the immobiliser is asked to do for a credential. */
export type AccessOrder = {
  readonly action: GrantAction;
  readonly booking: string;
  readonly by: "card" | "phone";
  /** At most 64 characters; names nobody. */
  readonly credential: string;
};
export type AccessOutcome = {
  readonly status: "executed" | "refused" | "unknown";
  /** Conditions of the interlocks that were not met. */
  readonly unmet: readonly string[];
};

export type AccessDeskOptions = {
  readonly address: Address;
  readonly reader: Pick<ReaderDriver, "exchange" | "askPin" | "show">;
  readonly grants: GrantStore;
  readonly record: AccessRecord;
  readonly grantKey: () => VerifyKey | undefined;
  readonly time: () => AccessFacts["time"];
  readonly rental: () => AccessFacts["rental"];
  /** Which bolts are seen locked: a card that is in its rental changes that. */
  readonly bolts: () => BoltsSeen;
  /** Never rejects. */
  readonly perform: (order: AccessOrder) => Promise<AccessOutcome>;
  readonly emit: (event: NewEvent) => void;
  readonly clock: Pick<Clock, "bootMs">;
  readonly random: Pick<Random, "bytes">;
  readonly log: Log;
};

export type Proven =
  | {
      readonly proven: true;
      readonly offer: Offer;
      readonly proof: EventData<"access.used">["proof"];
      /** Of a card: what its number was hashed with. */
      readonly cardIdKey: Uint8Array | undefined;
    }
  | { readonly proven: false; readonly reasons: readonly Reason[] };

export class AccessDesk {
  readonly #options: AccessDeskOptions;
  readonly #limits: TryLimits;
  #failed: FailedTap | undefined;
  #serving: Presentation | undefined;
  /** Who is shown to wait, and is served after that if they are there still. */
  #next: Presentation | undefined;
  #idle: Promise<void> = Promise.resolve();

  constructor(options: AccessDeskOptions) {
    this.#options = options;
    const { record, clock } = options;
    const triedAtMs = record.triedAtMs();
    const agedMs = (): number => quietMs(triedAtMs, options.time());
    this.#limits = new TryLimits(record.tries(), clock.bootMs(), agedMs);
  }

  /** Takes what is held to the reader. While one is being served the next is shown to wait. Never rejects. */
  present(presentation: Presentation): void {
    const { reader, log } = this.#options;
    if (this.#serving !== undefined) {
      reader.show(presentation.id, "wait");
      // A card that flickers in the field is one tap: it is not to undo what it is being served.
      this.#next = isSameCard(this.#serving, presentation) ? undefined : presentation;
      return;
    }
    this.#serving = presentation;
    this.#idle = this.#serve(presentation)
      .catch((error: unknown) => {
        log.error("access.bug", { what: error instanceof Error ? error.message : String(error) });
        reader.show(presentation.id, "failed");
      })
      .finally(() => {
        const next = this.#next;
        this.#serving = undefined;
        this.#next = undefined;
        if (next !== undefined) this.present(next);
      });
  }

  /** It was taken away: whoever waited there waits no more. */
  gone(presentation: number): void {
    if (this.#next?.id === presentation) this.#next = undefined;
  }

  /** Resolves when whoever is being served, or waits for that, has been answered. */
  async settled(): Promise<void> {
    do await this.#idle;
    while (this.#serving !== undefined);
  }

  /**
   * To be called when a rental has ended or begun, whoever did it, and at a start, once it is settled what the car is
   * in: who was in another one is in none any more. A cut between an end and this would leave them for ever.
   */
  async rentalChanged(): Promise<void> {
    const rental = this.#options.rental();
    // Where the car's own record is lost there may be one still.
    if (rental.value === "unknown") return;
    await this.#options.record.release(rental.value === "open" ? rental.booking : undefined);
  }

  /** A new list is in force: failures are forgotten with what neither it nor the open rental names any more. */
  async listApplied(): Promise<void> {
    const { grants, record, clock } = this.#options;
    // A PIN of who is in the rental is taken still, so its tries count on.
    const held = record.holders().map(({ grant }) => grant);
    const ids = new Set([...(grants.list()?.grants ?? []), ...held].map(({ id }) => toHex(id)));
    const kept = record.tries().size;
    const isPinOfNone = (what: string): boolean =>
      what.startsWith("pin:") && !ids.has(what.slice("pin:".length));
    const tries = this.#limits.retain((what) => !isPinOfNone(what), clock.bootMs());
    if (tries.size !== kept) await this.#keepTries(tries);
  }

  #keepTries(tries: Tries): Promise<boolean> {
    const { record, time } = this.#options;
    const now = time();
    // No failure is later than the latest that it may be now.
    return record.keepTries(tries, now.value === "known" ? now.wallMs + now.doubtMs : undefined);
  }

  async #serve(presentation: Presentation): Promise<void> {
    const isCard = presentation.kind === "card";
    const credential = isCard ? this.#cardName(presentation.uid) : undefined;
    const proven = isCard ? await this.#card(presentation) : await this.#phone(presentation.id);
    const who = { kind: presentation.kind, credential: proven.credential ?? credential };
    if (!proven.result.proven) return this.#refuse(presentation, who, proven.result.reasons);
    const { offer, proof, cardIdKey } = proven.result;
    const { time, rental } = this.#options;
    const verdict = evaluate(offer, { time: time(), rental: rental() });
    if (!verdict.allowed) {
      const { reasons, booking } = verdict;
      return this.#refuse(presentation, { ...who, action: offer.action, booking }, reasons);
    }
    const name = who.credential ?? "";
    await this.#do(presentation, { verdict, offer, proof, name, cardIdKey });
  }

  /** What stands for a card in events: the hash of the list in force; its number is never written. */
  #cardName(uid: Uint8Array): string | undefined {
    const list = this.#options.grants.list();
    return list === undefined ? undefined : toHex(cardIdOf(list.cardIdKey, uid));
  }

  async #card(
    presentation: Extract<Presentation, { kind: "card" }>,
  ): Promise<{ readonly result: Proven; readonly credential?: string }> {
    const { reader, grants, record, random, clock, rental, bolts } = this.#options;
    const list = grants.list();
    const offered: OfferedGrant[] = [];
    let cardIdKey = list?.cardIdKey;
    for (const { grant, cardIdKey: key } of record.holders()) {
      const isIt =
        key !== undefined && grantsOfCard([grant], cardIdOf(key, presentation.uid)).length > 0;
      if (!isIt) continue;
      offered.push({ grant, from: "held" });
      cardIdKey = key;
    }
    if (list !== undefined) {
      const cardId = cardIdOf(list.cardIdKey, presentation.uid);
      for (const grant of grantsOfCard(list.grants, cardId))
        offered.push({ grant, from: "listed" });
    }
    const result = await proveCard({
      presentation,
      offered,
      reader,
      random,
      limits: this.#limits,
      nowMs: clock.bootMs,
      keepTries: (tries) => this.#keepTries(tries),
      inRental: offered.some((one) => isInRental(one, rental())),
    });
    if (!result.proven) return { result };
    const action = tapAction({
      ...{ offered, rental: rental(), bolts: bolts() },
      ...{ failed: this.#failed, nowMs: clock.bootMs() },
    });
    const offer: Offer = { action, grants: offered, shown: result.shown };
    return { result: { proven: true, offer, proof: result.shown, cardIdKey } };
  }

  async #phone(
    presentation: number,
  ): Promise<{ readonly result: Proven; readonly credential?: string }> {
    const { address, reader, grants, record, random, time, grantKey } = this.#options;
    const heard = await hearPhone({
      address,
      presentation,
      reader,
      random,
      time: time(),
      grantKey,
    });
    if (!heard.heard) return { result: { proven: false, reasons: [heard.reason] } };
    const { publicKey, action, carried } = heard;
    const credential = toHex(sha256(publicKey));
    const listed = grantsOfPhone(grants.list()?.grants ?? [], publicKey);
    const held = grantsOfPhone(
      record.holders().map(({ grant }) => grant),
      publicKey,
    );
    const offered: OfferedGrant[] = [
      ...held.map((grant): OfferedGrant => ({ grant, from: "held" })),
      ...listed.map((grant): OfferedGrant => ({ grant, from: "listed" })),
    ];
    const brought = this.#brought(carried);
    if (typeof brought === "string" && offered.length === 0)
      return { result: { proven: false, reasons: [brought] }, credential };
    if (typeof brought === "object") offered.push({ grant: brought, from: "carried" });
    const proof = typeof brought === "object" && offered.length === 1 ? "carried" : "phone";
    const offer: Offer = { action, grants: offered, shown: "phone" };
    return { result: { proven: true, offer, proof, cardIdKey: undefined }, credential };
  }

  /** A carried grant counts where the car's list cannot have known of it; else the list decides. */
  #brought(
    carried: Extract<Awaited<ReturnType<typeof hearPhone>>, { heard: true }>["carried"],
  ): Grant | Reason | undefined {
    if (carried === undefined || typeof carried === "string") return carried;
    const { grant, listVersion } = carried;
    return listVersion >= this.#options.grants.version() ? grant : "carried_superseded";
  }

  async #do(
    presentation: Presentation,
    asked: {
      readonly verdict: Extract<ReturnType<typeof evaluate>, { allowed: true }>;
      readonly offer: Offer;
      readonly proof: EventData<"access.used">["proof"];
      readonly name: string;
      readonly cardIdKey: Uint8Array | undefined;
    },
  ): Promise<void> {
    const { reader, record, perform, emit, rental } = this.#options;
    const { verdict, offer, proof, name, cardIdKey } = asked;
    const { grant, from } = verdict;
    const { action } = offer;
    const { kind } = presentation;
    // Before the bolts move: whoever gets in must be able to get in again, whatever happens to list and clock.
    const holder: Holder = { grant, ...(cardIdKey === undefined ? {} : { cardIdKey }) };
    if (opensRental(action) && from !== "held") {
      await this.rentalChanged();
      await record.hold(holder);
    }
    const order: AccessOrder = { action, booking: grant.booking, by: kind, credential: name };
    const { status, unmet } = await perform(order);
    if (kind === "card") this.#failed = this.#failedTap(order, { status, unmet });
    const data = { kind, credential: name, proof, action, booking: grant.booking, grant: grant.id };
    emit({ kind: "access.used", data: { ...data, status, unmet } });
    reader.show(presentation.id, status === "executed" ? "granted" : "failed");
    const now = rental();
    if (now.value === "none") await record.release(undefined);
    // Who works a car whose rental is open by its booking stays in that rental too.
    else if (now.value === "open" && now.booking === grant.booking && status === "executed")
      await record.hold(holder);
  }

  /** What the interlocks refused moved nothing, and turns nothing round. */
  #failedTap({ action, booking }: AccessOrder, outcome: AccessOutcome): FailedTap | undefined {
    if (outcome.status === "executed" || outcome.unmet.length > 0) return undefined;
    return { action, booking, atMs: this.#options.clock.bootMs() };
  }

  #refuse(
    { id }: Presentation,
    who: {
      readonly kind: Presentation["kind"];
      readonly credential: string | undefined;
      readonly action?: GrantAction;
      readonly booking?: string | undefined;
    },
    reasons: readonly Reason[],
  ): void {
    const { reader, emit, log } = this.#options;
    const { kind, credential, action, booking } = who;
    log.info("access.refused", { kind, reasons: reasons.join(" ") });
    emit({
      kind: "access.refused",
      data: {
        kind,
        reasons,
        ...(credential === undefined ? {} : { credential }),
        ...(action === undefined ? {} : { action }),
        ...(booking === undefined ? {} : { booking }),
      },
    });
    reader.show(id, "refused");
  }
}

function isSameCard(a: Presentation, b: Presentation): boolean {
  return a.kind === "card" && b.kind === "card" && equalBytes(a.uid, b.uid);
}

/** How long it is certainly since a moment of which the latest that it can have been is known. */
function quietMs(atMs: number | undefined, time: AccessFacts["time"]): number {
  if (atMs === undefined || time.value === "unknown") return 0;
  return Math.max(0, time.wallMs - time.doubtMs - atMs);
}

const opensRental = (action: GrantAction): boolean => action === "unlock_and_release";
