/** A command as the API records it before it has it signed. */
import { type Action, type TenantStore, toHex, type VehicleId } from "@kerbside/protocol";

export type Order = {
  readonly id: Uint8Array;
  readonly vehicle: VehicleId;
  readonly action: Action;
  readonly booking?: string;
};

const audit = { actor: "test", action: "test", subject: "test", outcome: "done" } as const;

export async function record(store: TenantStore, asked: Order): Promise<void> {
  const id = toHex(asked.id);
  const { vehicle, action, booking } = asked;
  await store.createCommand(
    {
      ...{ id, vehicle, action },
      ...(booking === undefined ? {} : { booking }),
      requestedBy: "backend",
      idempotencyKey: id,
      requestDigest: "00",
      state: "accepted",
      steps: [],
      deadlineMs: Date.now() + 10_000,
    },
    audit,
  );
}
