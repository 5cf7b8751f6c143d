/**
 * Does what is due of P-81 by itself: suspends who did nothing for the stated time, destroys the keys of who is suspended
 * and whose legal term has passed, certifies once no backup of keys can hold them. What a hold names is left alone. A
 * booking counts as use, whatever the record of the person says; who works for the operator books nothing and is none of
 * those, for as long as the account is open.
 */
import {
  type AuditEntry,
  type BookingRecord,
  type PeopleStore,
  ProtocolError,
} from "@kerbside/protocol";
import { type Due, INACTIVITY_DAYS_DEFAULT } from "./erasure.ts";
import type { PeopleTools } from "./people-store.ts";

const DAY_MS = 86_400_000;

export type EndedNow = {
  readonly suspended: number;
  readonly erased: number;
  readonly certified: number;
  /** Were due, and are kept: a hold names them, they booked since, they are staff, or their payment provider does not answer. */
  readonly kept: number;
};
type Done = keyof EndedNow;

export type EndingParts = Pick<
  PeopleStore,
  "person" | "putPerson" | "account" | "bookingsOf" | "erasePerson"
> &
  Pick<PeopleTools, "due" | "certifyErasure"> & {
    readonly booking: (booking: string) => BookingRecord | undefined;
    readonly nowMs: () => number;
  };

/** Each by itself, with its own entry in the audit: what was done before a failure stays done. */
export async function endWhatIsDue(
  parts: EndingParts,
  audit: AuditEntry,
  inactivityDays: number = INACTIVITY_DAYS_DEFAULT,
): Promise<EndedNow> {
  const count = { suspended: 0, erased: 0, certified: 0, kept: 0 };
  for (const due of await parts.due(parts.nowMs(), inactivityDays))
    count[due.held ? "kept" : await end(parts, due, audit, inactivityDays)] += 1;
  return count;
}

async function end(
  parts: EndingParts,
  { person, stage, term }: Due,
  by: AuditEntry,
  inactivityDays: number,
): Promise<Done> {
  const nowMs = parts.nowMs();
  const reason =
    stage === "suspend" ? `${inactivityDays} days without use` : `term ${term} has passed`;
  const audit = { ...by, action: `person.${stage}`, subject: `person:${person}`, reason };
  switch (stage) {
    case "suspend": {
      const record = await parts.person(person);
      if (record === undefined) throw new ProtocolError("not_found", "person: is not there");
      const account = await parts.account(person);
      if (account?.state.at === "open" && account.role !== "member") return "kept";
      const usedAtMs = await lastBookedMs(parts, person);
      if (usedAtMs > nowMs - inactivityDays * DAY_MS) return "kept";
      const used = Math.max(usedAtMs, record.usedAtMs ?? 0);
      await parts.putPerson(
        {
          ...record,
          ...(used > 0 ? { usedAtMs: used } : {}),
          state: "suspended",
          suspendedAtMs: nowMs,
        },
        audit,
      );
      return "suspended";
    }
    case "erase":
      try {
        await parts.erasePerson(person, audit);
      } catch (error) {
        // Their payment provider does not answer: it is tried again next time, and does not hold up the others.
        if (error instanceof ProtocolError && error.code === "unavailable") return "kept";
        throw error;
      }
      return "erased";
    case "certify":
      await parts.certifyErasure(person, audit);
      return "certified";
  }
}

/** 0 where nothing was. */
async function lastBookedMs(parts: EndingParts, person: string): Promise<number> {
  const bookings = (await parts.bookingsOf(person)).map((id) => parts.booking(id)?.toMs ?? 0);
  return bookings.reduce((last, at) => Math.max(last, at), 0);
}
