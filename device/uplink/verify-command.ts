/**
 * Whether a command may be handed on. Pure. The order is that of the design: first the signature, then who it is for,
 * then what it asks, then the epoch, then its life. Counter and known ids are the executor's, which keeps them durably.
 */
import {
  ACTION_DOMAIN,
  type Address,
  COMMAND_LIFE_MS_MAX,
  type Command,
  equalBytes,
  openCommand,
  ProtocolError,
  requestHashOf,
  type UnmetCondition,
  type VerifyKey,
} from "@kerbside/protocol";

export type CommandContext = {
  readonly address: Address;
  /** The tenant's command key, as its certificate gives it. */
  readonly commandKey: VerifyKey;
  readonly epoch: Uint8Array;
  readonly sessionMs: number;
};

type Known = { readonly command: Command; readonly requestHash: Uint8Array };
export type CommandVerdict =
  /** All that can be judged without memory holds. */
  | ({ readonly kind: "run" } & Known)
  /** Authentic, and answered without being run. */
  | ({ readonly kind: "stale_session" } & Known)
  | ({ readonly kind: "expired" } & Known)
  | ({ readonly kind: "refused"; readonly unmet: UnmetCondition } & Known)
  /** Not authentic or not for this car: nobody is answered. */
  | {
      readonly kind: "dropped";
      readonly reason: "malformed" | "unauthenticated" | "other_tenant" | "other_vehicle";
    };

const REFUSALS = {
  domain: {
    condition: "domain_matches",
    words: "The action does not belong to the command's domain.",
  },
  life: {
    condition: "life_bounded",
    words: "The command lives longer than a command may.",
  },
} as const satisfies Record<string, UnmetCondition>;

export function verifyCommand(context: CommandContext, envelope: Uint8Array): CommandVerdict {
  const command = open(context.commandKey, envelope);
  if (typeof command === "string") return { kind: "dropped", reason: command };
  const { address, epoch, sessionMs } = context;
  if (command.tenant !== address.tenant) return { kind: "dropped", reason: "other_tenant" };
  if (command.vehicle !== address.vehicle) return { kind: "dropped", reason: "other_vehicle" };
  const known = { command, requestHash: requestHashOf(envelope) };
  if (ACTION_DOMAIN[command.action] !== command.domain)
    return { kind: "refused", unmet: REFUSALS.domain, ...known };
  if (!equalBytes(command.epoch, epoch)) return { kind: "stale_session", ...known };
  if (command.expiresAtMs <= sessionMs) return { kind: "expired", ...known };
  if (command.expiresAtMs > sessionMs + COMMAND_LIFE_MS_MAX)
    return { kind: "refused", unmet: REFUSALS.life, ...known };
  return { kind: "run", ...known };
}

function open(key: VerifyKey, envelope: Uint8Array): Command | "malformed" | "unauthenticated" {
  try {
    return openCommand(key, envelope);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.code === "unauthenticated" ? "unauthenticated" : "malformed";
  }
}
