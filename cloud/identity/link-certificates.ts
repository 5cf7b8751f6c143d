/** Certificates of two machines that keep a replica: an authority for nothing else, whose key is forgotten at once. */
import { isIP } from "node:net";
import { issueAuthority, issueLeaf, newKeys, privateKeyPem } from "./certificates.ts";

/** PEM. */
export type LinkSide = { readonly ca: string; readonly cert: string; readonly key: string };

const ORGANIZATION = "Kerbside replica";

/** `host`: the name or address at which the primary is dialled. They live as long as a server's and a car's. */
export async function makeLinkCertificates(
  host: string,
  nowMs: number,
): Promise<{ readonly primary: LinkSide; readonly standby: LinkSide }> {
  const authority = await issueAuthority(
    { organization: ORGANIZATION, commonName: "root" },
    undefined,
    nowMs,
  );
  const ca = `${authority.certificate.toString("pem")}\n`;
  const side = async (kind: "server" | "vehicle", commonName: string): Promise<LinkSide> => {
    const keys = await newKeys();
    const names = kind === "vehicle" ? {} : isIP(host) === 0 ? { dns: [host] } : { ip: [host] };
    const leaf = { kind, organization: ORGANIZATION, commonName, publicKey: keys.publicKey };
    const { chain } = await issueLeaf({ ...leaf, ...names }, authority, nowMs);
    return { ca, cert: chain, key: await privateKeyPem(keys.privateKey) };
  };
  return { primary: await side("server", "primary"), standby: await side("vehicle", "standby") };
}
