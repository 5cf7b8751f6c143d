/** Payments of a tenant's people: the token stays with the person, sealed, and goes to the provider and nowhere else. */
import {
  type AuditEntry,
  type PaymentDesk,
  type PaymentProvider,
  type PeopleStore,
  type PersonRecord,
  ProtocolError,
} from "@kerbside/protocol";
import type { Engine } from "./engine.ts";

type People = Pick<PeopleStore, "person" | "putPerson">;

export function paymentDesk(
  engine: Pick<Engine, "payments" | "nowMs">,
  people: People,
  audit: (entry: AuditEntry) => Promise<void>,
): PaymentDesk {
  return {
    begin: async (person, entry) => {
      const provider = providerOf(engine);
      const before = await activePerson(people, person);
      const { token, page } = await provider.begin();
      const old = before.profile.paymentToken;
      if (old !== undefined) await provider.revoke(old);
      // Read again: the provider took its time.
      const now = await activePerson(people, person);
      await people.putPerson({ ...now, profile: { ...now.profile, paymentToken: token } }, entry);
      return { page };
    },
    charge: async (person, charge, entry) => {
      const provider = providerOf(engine);
      const token = (await activePerson(people, person)).profile.paymentToken;
      if (token === undefined || !(await provider.verify(token)))
        throw new ProtocolError("conflict", "person: has no card that can be charged");
      const reason = `${charge.reference}: ${charge.amountMinor} ${charge.currency}`;
      await audit({ ...entry, outcome: "asked", reason });
      const charged = await provider.charge(token, charge);
      const done = { ...entry, reason: `${reason}, ${charged.state}` };
      if (charged.state === "declined") {
        await audit({ ...done, outcome: "refused" });
        return charged;
      }
      const now = await people.person(person);
      // Who was erased meanwhile is not written again.
      if (now === undefined || now.state === "erased") await audit(done);
      else await people.putPerson({ ...now, paidAtMs: engine.nowMs() }, done);
      return charged;
    },
  };
}

function providerOf({ payments }: Pick<Engine, "payments">): PaymentProvider {
  const found = payments();
  if (found === undefined)
    throw new ProtocolError("unavailable", "payments: the tenant has no provider");
  return found;
}

async function activePerson(people: People, person: string): Promise<PersonRecord> {
  const record = await people.person(person);
  if (record === undefined) throw new ProtocolError("not_found", "person: there is none such");
  if (record.state !== "active")
    throw new ProtocolError("conflict", "person: is suspended or erased");
  return record;
}
