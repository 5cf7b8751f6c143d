/** The typed client, as integrators have it, for the API of these tests. */
import { Client, type ClientOptions } from "@kerbside/client";
import { httpsSend } from "../../../scripts/demo/https.ts";
import { DEMO } from "./car.ts";
import type { Rig } from "./rig.ts";

/** Of the first tenant unless said otherwise; it finds the server again where the rig starts another. */
export function clientOf(rig: Rig, token: string, more: Partial<ClientOptions> = {}): Client {
  return new Client({
    ...{ origin: "", tenant: DEMO, token: () => token },
    send: (url, init) => httpsSend(rig.port(), rig.ca)(url, init),
    ...more,
  });
}
