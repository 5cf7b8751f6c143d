/**
 * What an operator publishes for its cars: collection schemes, profiles, rental policies with their zones, flows. The
 * newest version of each is kept, signed, and pushed to every car that it is for until the car's own announcement says
 * that it keeps it, or why it does not.
 */
import {
  type ArtefactHead,
  type ArtefactKind,
  artefactCodec,
  artefactId,
  type Caller,
  type Clock,
  type Downlink,
  decode,
  encodePush,
  equalBytes,
  type Log,
  ProtocolError,
  parseSign1,
  type SessionRecord,
  sha256,
  type TenantId,
  type TenantStore,
  type VehicleId,
  type VehicleRecord,
} from "@kerbside/protocol";
import { checkContent } from "./artefact-content.ts";
import type { CloudTenant } from "./cloud-tenant.ts";
import { Keyed } from "./keyed.ts";
import type { SignerClient } from "./signer/client.ts";

/** Names of a kind that a tenant may have; a car keeps no more. */
const NAMES_MAX: Readonly<Record<ArtefactKind, number>> = {
  profile: 64,
  scheme: 32,
  flow: 8,
  rental: 1,
};

export type PublishAsk = {
  readonly kind: ArtefactKind;
  readonly name: string;
  readonly version: number;
  readonly content: Uint8Array;
  readonly vehicles?: readonly VehicleId[];
  readonly from?: string;
};
export type ArtefactParts = {
  readonly tenant: (id: TenantId) => Promise<CloudTenant | undefined>;
  readonly signer: Pick<SignerClient, "signArtefact" | "artefactFor">;
  readonly downlink: Downlink;
  readonly clock: Clock;
  readonly log: Log;
};
/** `pending`: the car has not said that it keeps it. */
export type ArtefactState =
  | { readonly state: "pending" | "applied" }
  | { readonly state: "refused"; readonly reason: string };

/** Where an artefact stands with a car, by what that last announced. Pure. */
export function artefactState(
  head: ArtefactHead,
  session: SessionRecord | undefined,
): ArtefactState {
  const id = artefactId(decode(artefactCodec, parseSign1(head.envelope).payload));
  const { artefacts = [], artefactsRefused = [] } = session?.session ?? {};
  if (artefacts.some((kept) => equalBytes(kept, id))) return { state: "applied" };
  const refused = artefactsRefused.find(({ artefact }) => equalBytes(artefact, id));
  return refused === undefined
    ? { state: "pending" }
    : { state: "refused", reason: refused.reason };
}

/** Whether a car is to have it: one that is named, or any; of a profile, only cars of that model. */
export function isFor(head: ArtefactHead, { vehicle, profile }: VehicleRecord): boolean {
  if (head.kind === "profile" && head.name !== profile.split("/", 1)[0]) return false;
  return head.vehicles?.includes(vehicle) ?? true;
}

export class ArtefactService {
  readonly #parts: ArtefactParts;
  readonly #keyed = new Keyed();

  constructor(parts: ArtefactParts) {
    this.#parts = parts;
  }

  /**
   * Signs, keeps and pushes it. The same again is taken without effect. Throws ProtocolError `malformed`, `conflict`
   * (not above the version before), `limit_reached` or `not_found` (a car that is not enrolled).
   */
  async publish(caller: Caller, ask: PublishAsk): Promise<ArtefactHead> {
    const { kind, name, version, content, vehicles, from } = ask;
    checkContent(ask);
    const store = await this.#store(caller.tenant);
    const before = await store.artefact(kind, name);
    if (before?.version === version && equalBytes(before.content, content)) return before;
    const others = (await store.artefacts()).filter((head) => head.kind === kind);
    if (before === undefined && others.length >= NAMES_MAX[kind]) {
      throw new ProtocolError("limit_reached", `${kind}: there are ${NAMES_MAX[kind]} names`);
    }
    for (const vehicle of vehicles ?? []) {
      if ((await store.vehicle(vehicle)) === undefined) {
        throw new ProtocolError("not_found", `vehicle ${vehicle}: is not enrolled`);
      }
    }
    const order = { kind, name, version, contentHash: sha256(content) };
    const envelope = await this.#parts.signer.signArtefact(caller.token, order);
    const record = {
      ...{ kind, name, version, envelope, content },
      ...(vehicles === undefined ? {} : { vehicles }),
      publishedAtMs: this.#parts.clock.wallMs(),
    };
    await store.putArtefact(record, {
      actor: caller.subject,
      action: "artefact.publish",
      subject: `artefact:${kind}/${name}`,
      outcome: "done",
      reason: `version ${version}`,
      ...(from === undefined ? {} : { from }),
    });
    void this.#pushToAll(caller.tenant, record);
    return record;
  }

  /** At a car's announcement: what it lacks is pushed. Never rejects: the next announcement does it again. */
  async announced(tenant: TenantId, session: SessionRecord): Promise<void> {
    try {
      const store = await this.#store(tenant);
      const vehicle = await store.vehicle(session.vehicle);
      if (vehicle === undefined) return;
      for (const head of await store.artefacts()) {
        if (isFor(head, vehicle)) await this.#push(tenant, store, session, head);
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  async close(): Promise<void> {
    await this.#keyed.idle();
  }

  /** To the cars that are connected; the others are told when they are. Never rejects. */
  async #pushToAll(tenant: TenantId, head: ArtefactHead): Promise<void> {
    try {
      const store = await this.#store(tenant);
      for (const vehicle of await store.vehicles()) {
        const session = isFor(head, vehicle) ? await store.session(vehicle.vehicle) : undefined;
        if (session?.online === true) await this.#push(tenant, store, session, head);
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  /** One car's after the other's, so that a scheme that is published twice arrives in order. */
  #push(
    tenant: TenantId,
    store: TenantStore,
    session: SessionRecord,
    { kind, name }: ArtefactHead,
  ): Promise<void> {
    const { vehicle } = session;
    return this.#keyed.run(`${tenant} ${vehicle}`, async () => {
      const newest = await store.artefact(kind, name);
      // A car that says nothing of receipts is of before there were any, and would be sent everything each time.
      if (newest === undefined || session.session.artefacts === undefined) return;
      if (artefactState(newest, session).state !== "pending") return;
      const { signer, downlink, log } = this.#parts;
      try {
        const manifest = await signer.artefactFor(tenant, vehicle, newest.envelope);
        const push = encodePush({ kind: "artefact", manifest, content: newest.content });
        await downlink.send({ tenant, vehicle }, "artefact", push);
        log.info("artefact.pushed", { kind, name, version: newest.version });
      } catch (error) {
        this.#failed(error);
      }
    });
  }

  #failed(error: unknown): void {
    const code = error instanceof ProtocolError ? error.code : "bug";
    if (code !== "vehicle_offline") this.#parts.log.warn("artefacts.not_pushed", { code });
  }

  async #store(tenant: TenantId): Promise<TenantStore> {
    const found = await this.#parts.tenant(tenant);
    if (found === undefined) throw new ProtocolError("not_found", "tenant: there is none such");
    return found.store;
  }
}
