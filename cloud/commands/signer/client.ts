/**
 * The API's end of the link to the signer: one connection, opened when needed and again after a loss, requests by
 * number, each with a time limit. Nothing is sent twice: whether to ask again is the caller's decision.
 */
import { connect, type Socket } from "node:net";
import {
  type BookingRecord,
  type Clock,
  type GrantListRecord,
  type GrantRecord,
  ProtocolError,
  type TenantId,
  type Timer,
  toHex,
  type VehicleId,
} from "@kerbside/protocol";
import type { BookingFields } from "../booking-rules.ts";
import type { ArtefactOrder } from "./press.ts";
import type { RequestKeyListed, RequestKeyOwner } from "./request-keys.ts";
import type { RequestProof } from "./request-signature.ts";
import {
  type CommandOrder,
  FrameReader,
  frameRequest,
  type GrantOrder,
  isErrorCode,
  readAnswer,
  type SignerAnswer,
  type SignerRequest,
} from "./wire.ts";

/** A signer that takes longer is away, for the caller. */
export const SIGNER_ANSWER_MS_MAX = 5000;
const WAITING_MAX = 512;

export type SignedCommand = {
  readonly envelope: Uint8Array;
  readonly requestHash: Uint8Array;
  /** The car's epoch that it is bound to. */
  readonly epoch: Uint8Array;
};
/** What the API may ask of the signer; `proof` is the request as its caller signed it, where it did. All reject with ProtocolError; `unavailable` where it does not answer. */
export type SignerClient = {
  /** The MAC of a booking in its next version. */
  readonly sealBooking: (
    token: string,
    booking: BookingFields,
    proof?: RequestProof,
  ) => Promise<Uint8Array>;
  /** May be asked before the command is recorded; `recorded` is whether it is, once that is known. */
  readonly signCommand: (
    token: string,
    order: CommandOrder,
    proof?: RequestProof,
    recorded?: Promise<boolean>,
  ) => Promise<SignedCommand>;
  /** The booking as the car's signed result opened or ended it; undefined where it is so already. */
  readonly movedBooking: (
    tenant: TenantId,
    result: Uint8Array,
  ) => Promise<BookingRecord | undefined>;
  /** The answer to the nonce of a car's announcement. */
  readonly answerTime: (tenant: TenantId, session: Uint8Array) => Promise<Uint8Array>;
  /** A grant in its first version, or taken back. */
  readonly sealGrant: (
    token: string,
    order: GrantOrder,
    proof?: RequestProof,
  ) => Promise<GrantRecord>;
  /** What a phone may carry to a car that has been away. */
  readonly carryGrant: (
    token: string,
    grant: Uint8Array,
    proof?: RequestProof,
  ) => Promise<Uint8Array>;
  /** A car's grant list, to be kept and pushed; undefined where the newest one still says all. */
  readonly grantList: (
    tenant: TenantId,
    vehicle: VehicleId,
  ) => Promise<GrantListRecord | undefined>;
  /** The manifest of what is published. */
  readonly signArtefact: (token: string, order: ArtefactOrder) => Promise<Uint8Array>;
  /** A manifest under the key that this car has. */
  readonly artefactFor: (
    tenant: TenantId,
    vehicle: VehicleId,
    manifest: Uint8Array,
  ) => Promise<Uint8Array>;
  /** The keys that callers of the token's tenant sign with, and whether they have to. */
  readonly requestKeys: (token: string) => Promise<RequestKeys>;
  /** Takes one back, for good and at once. `not_found` where the token's tenant has none such. */
  readonly revokeRequestKey: (
    token: string,
    of: RequestKeyOwner,
    proof?: RequestProof,
  ) => Promise<RequestKeyListed>;
  readonly close: () => Promise<void>;
};
export type RequestKeys = {
  readonly keys: readonly RequestKeyListed[];
  readonly demanded: boolean;
};

type Waiting = {
  readonly done: (answer: SignerAnswer) => void;
  readonly fail: (error: ProtocolError) => void;
  readonly timer: Timer;
};
type Asked = Omit<SignerRequest, "id">;

export function connectSigner(options: {
  readonly socket: string;
  readonly clock: Clock;
}): SignerClient {
  const link = new Link(options.socket, options.clock);
  return {
    sealBooking: async (token, seal, proof) => {
      const { mac } = await link.ask({ token, seal, ...proven(proof) });
      if (mac === undefined) throw broken();
      return mac;
    },
    signCommand: async (token, sign, proof, recorded) => {
      const asked = { token, sign, ...proven(proof) };
      const { envelope, requestHash, epoch } = await link.ask(asked, recorded);
      if (envelope === undefined || requestHash === undefined || epoch === undefined) {
        throw broken();
      }
      return { envelope, requestHash, epoch };
    },
    movedBooking: async (openTenant, openResult) => {
      const { opened, mac } = await link.ask({ openTenant, openResult });
      return opened === undefined || mac === undefined ? undefined : { ...opened, mac };
    },
    answerTime: async (openTenant, session) => {
      const { envelope } = await link.ask({ openTenant, session });
      if (envelope === undefined) throw broken();
      return envelope;
    },
    sealGrant: async (token, order, proof) => {
      const { grant, mac } = await link.ask({ token, grant: order, ...proven(proof) });
      if (grant === undefined || mac === undefined) throw broken();
      const { id, ...fields } = grant;
      return { grant: toHex(id), ...fields, mac };
    },
    carryGrant: async (token, carry, proof) => {
      const { envelope } = await link.ask({ token, carry, ...proven(proof) });
      if (envelope === undefined) throw broken();
      return envelope;
    },
    grantList: async (openTenant, listVehicle) => {
      const { list } = await link.ask({ openTenant, listVehicle });
      if (list === undefined) return undefined;
      const { grants, changed, ...rest } = list;
      return {
        vehicle: listVehicle,
        ...rest,
        grants: grants.map(toHex),
        changed: changed.map(toHex),
      };
    },
    signArtefact: async (token, artefact) => {
      const { envelope } = await link.ask({ token, artefact });
      if (envelope === undefined) throw broken();
      return envelope;
    },
    artefactFor: async (openTenant, listVehicle, manifest) => {
      const { envelope } = await link.ask({ openTenant, listVehicle, manifest });
      if (envelope === undefined) throw broken();
      return envelope;
    },
    requestKeys: async (token) => {
      const { keys, keysDemanded } = await link.ask({ token, listKeys: true });
      if (keys === undefined || keysDemanded === undefined) throw broken();
      return { keys, demanded: keysDemanded };
    },
    revokeRequestKey: async (token, revokeKey, proof) => {
      const [key] = (await link.ask({ token, revokeKey, ...proven(proof) })).keys ?? [];
      if (key === undefined) throw broken();
      return key;
    },
    close: () => link.close(),
  };
}

function proven(proof: RequestProof | undefined): Pick<SignerRequest, "proof"> {
  return proof === undefined ? {} : { proof };
}

function broken(): ProtocolError {
  return new ProtocolError("unavailable", "signer: answered something else");
}

class Link {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  #socket: Socket | undefined;
  #lastId = 0;
  #closed = false;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  ask(asked: Asked, recorded?: Promise<boolean>): Promise<SignerAnswer> {
    return new Promise((done, fail) => {
      if (this.#closed) throw new ProtocolError("unavailable", "signer: the link is closed");
      if (this.#waiting.size >= WAITING_MAX) {
        throw new ProtocolError("limit_reached", `signer: over ${WAITING_MAX} requests under way`);
      }
      this.#lastId += 1;
      const id = this.#lastId;
      const frame = frameRequest({ ...asked, id });
      const timer = this.#clock.after(SIGNER_ANSWER_MS_MAX, () => {
        this.#settle(id)?.fail(new ProtocolError("unavailable", "signer: did not answer in time"));
      });
      this.#waiting.set(id, { done, fail, timer });
      const socket = this.#connected();
      socket.write(frame);
      const tell = (is: boolean): void => this.#tellRecorded(socket, id, is);
      // Where nobody tells it, the signer looks for a while and then says so by itself.
      recorded?.then(tell, () => undefined);
    });
  }

  /** To the same signer that was asked, as long as it has not answered. */
  #tellRecorded(socket: Socket, of: number, is: boolean): void {
    if (!this.#waiting.has(of) || socket !== this.#socket) return;
    this.#lastId += 1;
    const id = this.#lastId;
    socket.write(frameRequest(is ? { id, recorded: of } : { id, withdrawn: of }));
  }

  async close(): Promise<void> {
    this.#closed = true;
    const socket = this.#socket;
    if (socket === undefined) return;
    await new Promise<void>((done) => {
      socket.once("close", () => done());
      socket.destroy();
    });
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.timer.cancel();
    return waiting;
  }

  #connected(): Socket {
    if (this.#socket !== undefined) return this.#socket;
    const socket = connect(this.#path);
    const reader = new FrameReader();
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const body of reader.push(chunk)) this.#take(readAnswer(body));
      } catch {
        socket.destroy();
      }
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#lost(socket));
    return socket;
  }

  #take(answer: SignerAnswer): void {
    const waiting = this.#settle(answer.id);
    if (answer.error === undefined) waiting?.done(answer);
    else {
      const code = isErrorCode(answer.error) ? answer.error : "unavailable";
      waiting?.fail(new ProtocolError(code, answer.words ?? "signer: refused"));
    }
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    for (const id of [...this.#waiting.keys()]) {
      this.#settle(id)?.fail(new ProtocolError("unavailable", "signer: is not there"));
    }
  }
}
