/** What the uplink is to its users, and what it needs of them. */
import type {
  Address,
  Channel,
  Clock,
  Lane,
  Log,
  Random,
  SessionAnnouncement,
  SigningKey,
  Transport,
  VerifyKey,
} from "@kerbside/protocol";
import type { Budget } from "./budget.ts";
import type { CommandAnswer, CommandExecutor } from "./intake.ts";
import type { UplinkLimits } from "./limits.ts";
import type { Session } from "./session.ts";

/** What the uplink needs of the buffer. */
export type SegmentStore = {
  readonly next: (options: {
    readonly skip: ReadonlySet<number>;
    readonly newestStateFirst: boolean;
    readonly lanes: readonly Lane[];
  }) => { readonly key: number; readonly lane: Lane; readonly message: Uint8Array } | undefined;
  readonly acknowledge: (
    message: Uint8Array,
  ) =>
    | { readonly kind: "taken"; readonly forgotten: readonly number[] }
    | { readonly kind: "ignored"; readonly reason: string };
  readonly online: (is: boolean) => void;
  readonly watch: (listener: () => void) => () => void;
};

export type UplinkOptions = {
  readonly address: Address;
  readonly transport: Transport;
  readonly buffer: SegmentStore;
  readonly session: Session;
  readonly signingKey: SigningKey;
  /** The tenant's command key in force. */
  readonly commandKey: () => VerifyKey;
  readonly commands: CommandExecutor;
  /** Takes messages on the channels that the uplink does not read itself: `time`, `artefact`. */
  readonly other?: (channel: Channel, payload: Uint8Array) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly agentVersion: string;
  /** Name and version of the vehicle profile in force. */
  readonly profile: string;
  /** What else an announcement says, as it is at that moment. */
  readonly announces?: () => Partial<
    Pick<
      SessionAnnouncement,
      "epochNumber" | "grantsVersion" | "keyVersions" | "power" | "artefacts" | "artefactsRefused"
    >
  >;
  /** Told of the nonce of each announcement, before it is sent. */
  readonly onNonce?: (nonce: Uint8Array) => void;
  /** Whether the time that the car knows is not good enough: then it announces itself once more, now and again. */
  readonly wantsTime?: () => boolean;
  readonly limits?: Partial<UplinkLimits>;
  /** What segments may cost; left out, they cost nothing. Closed with the uplink. */
  readonly budget?: Budget;
};

export type UplinkStatus = {
  readonly state: "connecting" | "online" | "waiting" | "closed";
  readonly connections: number;
  readonly segmentsSent: number;
  readonly segmentsAcknowledged: number;
  readonly bytesSent: number;
  /** Acknowledgements that were not believed. */
  readonly acksIgnored: number;
  readonly underWay: number;
  /** Segments sent again because no acknowledgement came in time. */
  readonly retries: number;
  /** Bytes of segments with their frames in the day of the budget, by lane. */
  readonly spent: Readonly<Record<Lane, number>>;
  /** Why the last connection ended or did not come about. */
  readonly reason?: string;
};

export type Uplink = {
  readonly status: () => UplinkStatus;
  /** Sends an answer that no message asked for, such as what a crash left open. */
  readonly report: (answer: CommandAnswer) => void;
  /** Something that announcements say has changed: announces again, if it is connected. */
  readonly announce: () => void;
  /** After a resume from suspend: a new epoch, on a new connection, at once. */
  readonly resumed: () => void;
  /** Says farewell and ends. Idempotent, never rejects. */
  readonly close: () => Promise<void>;
};
