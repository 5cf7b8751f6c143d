/** What a technician asks at the car: which grants it holds, without any number, key or PIN. Reads, and changes nothing. */
import { type AccessListing, listAccess } from "@kerbside/access";
import { readTwoCopyFile } from "@kerbside/immobiliser";
import type { AgentConfig } from "./config.ts";
import { accessFiles, GRANT_FILE_BYTES_MAX } from "./entry.ts";

export async function accessListing({ dataDir }: AgentConfig): Promise<AccessListing> {
  const { grants, record } = accessFiles(dataDir);
  const [list, rest] = await Promise.all([
    readTwoCopyFile(grants, GRANT_FILE_BYTES_MAX),
    readTwoCopyFile(record),
  ]);
  return listAccess(list, rest);
}

/** The same for people. */
export function accessLines({ list, grants, failedTries }: AccessListing): readonly string[] {
  const head =
    typeof list === "string"
      ? `grant list   ${list}`
      : `grant list   version ${list.version} of ${list.issuedAt}, ${list.grants} grants`;
  const rows = grants.map(
    ({ grant, credential, booking, proof, actions, from, to, inRental }) =>
      `${grant}  ${credential}  ${booking}  ${from} to ${to}  ${proof}  ${actions}${inRental ? "  (in the open rental)" : ""}`,
  );
  return [head, `failed tries ${failedTries}`, ...rows];
}
