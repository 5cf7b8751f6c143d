/** Bookings and orders for the tests of the signer, and what somebody with the database alone can do. */
import { join } from "node:path";
import type { BookingFields, SignerClient } from "@kerbside/commands";
import { type BookingRecord, randomBytes } from "@kerbside/protocol";
import Database from "better-sqlite3";
import * as assert from "uvu/assert";
import { DEMO } from "./car.ts";
import { type Order, record } from "./recorded.ts";
import { CAR } from "./rig.ts";
import { audit, type SignerPlace } from "./signer-rig.ts";

export const HOUR = 3_600_000;
export type Books = Pick<SignerPlace, "store" | "dir"> & {
  readonly token: string;
  readonly client: SignerClient;
};

let bookings = 0;
/** A booking of the car that is sealed and recorded. */
export async function book(f: Books, more: Partial<BookingFields> = {}): Promise<BookingRecord> {
  bookings += 1;
  const fields: BookingFields = {
    booking: `b-${bookings}`,
    vehicle: CAR,
    holder: "person-1",
    fromMs: Date.now() - 1000,
    toMs: Date.now() + HOUR,
    state: "reserved",
    version: 1,
    ...more,
  };
  const made = { ...fields, mac: await f.client.sealBooking(f.token, fields) };
  await f.store.putBooking(made, audit);
  return made;
}

export const order = (booking?: string, action: Order["action"] = "unlock"): Order => ({
  id: randomBytes(16),
  vehicle: CAR,
  action,
  ...(booking === undefined ? {} : { booking }),
});

/** Asks for a signature of a command that is recorded as asked, as the API does. */
export async function sign(
  f: Pick<Books, "store">,
  token: string,
  asked: Order,
  client: SignerClient,
): ReturnType<SignerClient["signCommand"]> {
  await record(f.store, asked);
  return client.signCommand(token, asked);
}

/** Changes one row of the tenant's store, past the cloud. */
export function tamper(f: Pick<Books, "dir">, sql: string, ...values: readonly unknown[]): void {
  const name = new Database(join(f.dir, "platform.sqlite"), { readonly: true });
  const row = name.prepare("SELECT directory FROM tenants WHERE tenant = ?").get(DEMO);
  name.close();
  const { directory } = row as { directory: string };
  const db = new Database(join(f.dir, "tenants", directory, "store.sqlite"));
  const { changes } = db.prepare(sql).run(...values);
  db.close();
  assert.is(changes, 1, "the attack itself failed");
}
