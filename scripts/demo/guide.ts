/** Where things are, once the demo is up: made to be clicked and pasted. */
import { relative } from "node:path";
import { TENANT, VEHICLE } from "./parts.ts";
import type { Running } from "./running.ts";

export function whereThingsAre({ cloud, paths, sim }: Running): readonly string[] {
  const here = (path: string): string => relative(process.cwd(), path) || ".";
  const api = `https://localhost:${cloud.ports.https}`;
  const ca = here(paths.ca);
  const secret = here(paths.clientSecret);
  return [
    "",
    `  Console     ${api}/console/`,
    `              sign in as ${TENANT}-backend with the secret in ${secret}`,
    `  Cockpit     https://localhost:${sim.port}/#key=${sim.key}`,
    `  API         ${api}/v1  ·  its documentation ${api}/docs`,
    `  Broker      mqtts://localhost:${cloud.ports.broker} (cars' certificates only)`,
    `  Data        ${here(paths.data)}`,
    `  Trust       browsers warn until they know the demo's own authority: ${ca}`,
    "",
    "  Unlock the car from here (paste the three lines):",
    "",
    `  TOKEN=$(curl -s --cacert ${ca} -u ${TENANT}-backend:$(cat ${secret}) \\`,
    `    -d grant_type=client_credentials ${api}/oauth/token | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `  curl -s --cacert ${ca} -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $RANDOM$RANDOM" -H "Content-Type: application/json" -d '{"action":"unlock"}' "${api}/v1/tenants/${TENANT}/vehicles/${VEHICLE}/commands?wait=20000"`,
    "",
    `  Every event of the car:  npx kerbside-cloud events --tenant ${TENANT} --data ${here(paths.data)} --json`,
    "  Ctrl-C ends it; starting again goes on with the same data.",
    "",
  ];
}
