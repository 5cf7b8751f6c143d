/** The floor's other process: verifies the token, commits once, signs, over a Unix socket. */
import { createServer } from "node:net";
import { tokenVerifier } from "@kerbside/identity";
import {
  ACTION_DOMAIN,
  signCommand,
  signingKey,
  systemClock,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { committer } from "./commits.ts";
import { type FloorConfig, readConfig } from "./floor-config.ts";

function serve({ dir, seed, tokens }: FloorConfig): void {
  const clock = systemClock(() => performance.now());
  const verify = tokenVerifier({ ...tokens, clock });
  const key = signingKey(Buffer.from(seed, "hex"));
  const commit = committer(`${dir}/floor-signer.sqlite`);
  let counter = 0;
  createServer({ noDelay: true }, (socket) => {
    socket.on("data", (token) => {
      void verify(token.toString()).then(() => {
        counter += 1;
        const id = Buffer.alloc(16);
        id.writeUInt32BE(counter);
        const envelope = signCommand(key, {
          id: new Uint8Array(id),
          tenant: tenantId("demo"),
          vehicle: vehicleId("car-1"),
          domain: ACTION_DOMAIN.lock,
          action: "lock",
          epoch: new Uint8Array(16),
          counter,
          expiresAtMs: 10_000,
        });
        commit(envelope);
        socket.write(envelope);
      });
    });
  }).listen(`${dir}/floor.sock`, () => process.send?.({ ready: true }));
}

serve(readConfig());
