/**
 * Where webhooks may go: to the public internet, and nowhere that only this machine or its networks can reach, because a
 * tenant names the address and this cloud makes the connection (server-side request forgery).
 */
import { BlockList, isIP, isIPv6 } from "node:net";
import { ProtocolError } from "@kerbside/protocol";

/** Whether an address may be connected to. */
export type AddressRule = (address: string) => boolean;

/** What of IPv4 is not public: IANA's registry of special-purpose addresses (RFC 6890), and all multicast. */
const PRIVATE_IPV4 = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const;
/** Of IPv6 only this is public (RFC 4291 § 2.4): mapped, translated (NAT64), local and multicast lie outside. */
const PUBLIC_IPV6 = ["2000::", 3] as const;
/** Less what is for protocols, documentation and tunnels, in which an IPv4 address is hidden (Teredo, 6to4). */
const PRIVATE_IPV6 = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const;

function listOf(rows: readonly (readonly [string, number])[], family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  for (const [network, bits] of rows) list.addSubnet(network, bits, family);
  return list;
}
const privateIpv4 = listOf(PRIVATE_IPV4, "ipv4");
const publicIpv6 = listOf([PUBLIC_IPV6], "ipv6");
const privateIpv6 = listOf(PRIVATE_IPV6, "ipv6");

/** Public addresses, and those that the platform's operator allows besides. */
export function addressRule(allowed: AddressRule = () => false): AddressRule {
  return (address) => {
    if (isIP(address) === 0) return false;
    if (allowed(address)) return true;
    if (!isIPv6(address)) return !privateIpv4.check(address, "ipv4");
    return publicIpv6.check(address, "ipv6") && !privateIpv6.check(address, "ipv6");
  };
}

/** The address itself, where the URL has one in place of a name. */
export function literalOf(url: URL): string | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return isIP(host) === 0 ? undefined : host;
}

/** Refuses at once what could never be sent to; names are judged by what they resolve to. Throws `malformed`. */
export function checkAddress(url: URL, rule: AddressRule): void {
  const literal = literalOf(url);
  if (literal !== undefined && !rule(literal))
    throw new ProtocolError("malformed", "url: expected a public address");
}
