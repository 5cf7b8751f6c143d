/**
 * What the issuer remembers of people's sign-ins while they last: sessions, codes, grants. In memory, bounded, and gone
 * with the process: everybody then signs in again, within the life of a token.
 */

type Payload = Readonly<Record<string, unknown>>;
type Entry = { readonly payload: Payload; readonly expiresAtMs: number };

/** Of each kind; the oldest give way. */
const ENTRIES_MAX = 10_000;

/** One kind, in the form that oidc-provider asks for. Times of life come in seconds. */
export class IssuedMemory {
  readonly #entries = new Map<string, Entry>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  async upsert(id: string, payload: Payload, expiresInS: number): Promise<void> {
    this.#entries.delete(id);
    this.#entries.set(id, { payload, expiresAtMs: this.#nowMs() + expiresInS * 1000 });
    // Those of a kind live equally long, so what is over comes first (P-22).
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= ENTRIES_MAX && this.#nowMs() < entry.expiresAtMs) break;
      this.#entries.delete(oldest);
    }
  }

  async find(id: string): Promise<Payload | undefined> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    if (this.#nowMs() < entry.expiresAtMs) return entry.payload;
    this.#entries.delete(id);
    return undefined;
  }

  async findByUid(uid: string): Promise<Payload | undefined> {
    for (const [id, { payload }] of this.#entries) if (payload["uid"] === uid) return this.find(id);
    return undefined;
  }

  async findByUserCode(): Promise<undefined> {
    return undefined;
  }

  async consume(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const consumed = Math.floor(this.#nowMs() / 1000);
    this.#entries.set(id, { ...entry, payload: { ...entry.payload, consumed } });
  }

  async destroy(id: string): Promise<void> {
    this.#entries.delete(id);
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    for (const [id, { payload }] of this.#entries)
      if (payload["grantId"] === grantId) this.#entries.delete(id);
  }
}
