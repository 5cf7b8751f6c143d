/**
 * What has been worked out once and is asked for again and again: keys in the form that verifies, and announcements of
 * sessions that verified. Both are found by their very bytes, so nothing is believed that was not verified as it is.
 */
import {
  equalBytes,
  openSession,
  type SessionAnnouncement,
  type VehicleRecord,
  type VerifyKey,
  verifyKey,
} from "@kerbside/protocol";

/** Cars whose keys and sessions are remembered; the one that came first is forgotten first. */
const CARS_MAX = 20_000;

type Known = {
  readonly key: VerifyKey;
  envelope?: Uint8Array;
  session?: SessionAnnouncement;
};

export class VerifiedCars {
  readonly #known = new Map<string, Known>();

  /** The key enrolled for a car. */
  key(vehicle: Pick<VehicleRecord, "signingKey">): VerifyKey {
    return this.#of(vehicle).key;
  }

  /** Throws ProtocolError `malformed` or `unauthenticated`. */
  session(vehicle: Pick<VehicleRecord, "signingKey">, envelope: Uint8Array): SessionAnnouncement {
    const known = this.#of(vehicle);
    if (known.session !== undefined && known.envelope !== undefined) {
      if (equalBytes(known.envelope, envelope)) return known.session;
    }
    const session = openSession(known.key, envelope);
    known.envelope = envelope;
    known.session = session;
    return session;
  }

  #of({ signingKey }: Pick<VehicleRecord, "signingKey">): Known {
    const name = Buffer.from(signingKey).toString("latin1");
    let known = this.#known.get(name);
    if (known === undefined) {
      known = { key: verifyKey(signingKey) };
      this.#known.set(name, known);
      const [oldest] = this.#known.size > CARS_MAX ? this.#known.keys() : [];
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    return known;
  }
}
