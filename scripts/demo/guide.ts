/** Where things are, once the demo is up: made to be clicked and pasted. */
import { relative } from "node:path";
import { OPERATOR } from "./operator.ts";
import { TENANT, VEHICLE } from "./parts.ts";
import type { Running } from "./running.ts";

const BOOKING_HOURS = 24;
const MINUTE_MS = 60_000;

/** Three lines for a shell: a token, a booking, an unlock. */
function paste({ cloud, paths }: Running, here: (path: string) => string): readonly string[] {
  const api = `https://localhost:${cloud.ports.https}`;
  const curl = `curl -s --cacert ${here(paths.ca)}`;
  const bearer = `-H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $RANDOM$RANDOM" -H "Content-Type: application/json"`;
  const field = (name: string): string => `sed 's/.*"${name}":"\\([^"]*\\)".*/\\1/'`;
  const now = Date.now();
  const booking = JSON.stringify({
    vehicle: VEHICLE,
    holder: "you",
    from: new Date(now - MINUTE_MS).toISOString(),
    to: new Date(now + BOOKING_HOURS * 60 * MINUTE_MS).toISOString(),
  });
  const below = `${api}/v1/tenants/${TENANT}`;
  return [
    `TOKEN=$(${curl} -u ${TENANT}-backend:$(cat ${here(paths.clientSecret)}) -d grant_type=client_credentials ${api}/oauth/token | ${field("access_token")})`,
    `BOOKING=$(${curl} ${bearer} -d '${booking}' ${below}/bookings | ${field("booking")})`,
    `${curl} ${bearer} -d '{"action":"unlock","booking":"'$BOOKING'"}' "${below}/vehicles/${VEHICLE}/commands?wait=20000"`,
  ];
}

export function whereThingsAre(running: Running): readonly string[] {
  const { cloud, paths, sim } = running;
  const here = (path: string): string => {
    const way = relative(process.cwd(), path);
    return way === "" ? "." : way.startsWith("..") ? path : way;
  };
  const api = `https://localhost:${cloud.ports.https}`;
  return [
    "",
    `  Console   ${api}/console/`,
    `            sign in at ${TENANT} as ${OPERATOR}, with the password in ${here(paths.operatorPassword)}`,
    `  Cockpit   https://localhost:${sim.port}/#key=${sim.key}`,
    `  API       ${api}/v1    its documentation: ${api}/docs`,
    `  Broker    mqtts://localhost:${cloud.ports.broker}, for cars' certificates only`,
    `  Data      ${here(paths.data)}`,
    `  Trust     browsers warn until they know the demo's own authority, ${here(paths.ca)}`,
    "",
    "  Unlock the car by curl (paste these three lines):",
    "",
    ...paste(running, here),
    "",
    "  Every event of the car:",
    "",
    `npx kerbside-cloud events --tenant ${TENANT} --data ${here(paths.data)} --json`,
    "",
    "  Ctrl-C ends it; starting again goes on with the same data.",
    "",
  ];
}
