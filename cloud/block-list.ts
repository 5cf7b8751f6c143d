/**
 * The addresses that nobody listens to (P-63): a file of the data directory, one address or network a line
 * (`203.0.113.7`, `2001:db8::/32`), `#` begins a comment. It is read again when it changes; a list that cannot be read
 * leaves the one before in force, because a slip of the pen must neither open the door nor close it to all.
 */
import { BlockList, isIPv4, isIPv6 } from "node:net";
import { type Clock, type Log, ProtocolError, type Timer } from "@kerbside/protocol";
import { readIfThere } from "@kerbside/tenants";

export const BLOCKED_LINES_MAX = 10_000;
const LOOK_MS = 2000;

export type Blocked = (address: string | undefined) => boolean;

/** Throws ProtocolError `malformed`, naming the line and what was expected. */
export function parseBlockList(text: string): Blocked {
  const list = new BlockList();
  const lines = text.split("\n");
  if (lines.length > BLOCKED_LINES_MAX)
    throw new ProtocolError("malformed", `block list: expected at most ${BLOCKED_LINES_MAX} lines`);
  for (const [i, line] of lines.entries()) {
    const words = line.split("#", 1).join("").trim();
    if (words !== "" && !add(list, words))
      throw new ProtocolError(
        "malformed",
        `block list, line ${i + 1}: expected an address, or one with /length`,
      );
  }
  return (address) => {
    if (address === undefined) return false;
    return list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  };
}

function add(list: BlockList, words: string): boolean {
  const [address = "", length, ...rest] = words.split("/");
  const family = isIPv4(address) ? "ipv4" : isIPv6(address) ? "ipv6" : undefined;
  if (family === undefined || rest.length > 0) return false;
  if (length === undefined) {
    list.addAddress(address, family);
    return true;
  }
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  // 0 would be everybody.
  if (!(bits >= 1 && bits <= (family === "ipv4" ? 32 : 128))) return false;
  list.addSubnet(address, bits, family);
  return true;
}

/** Throws ProtocolError where the file is there and wrong at the start. */
export function watchBlockList(
  file: string,
  clock: Clock,
  log: Log,
): { readonly blocked: Blocked; readonly stop: () => void } {
  const read = (): string => Buffer.from(readIfThere(file) ?? []).toString("utf8");
  let text = read();
  let current = parseBlockList(text);
  let timer: Timer;
  const look = (): void => {
    try {
      const now = read();
      if (now !== text) {
        text = now;
        current = parseBlockList(now);
        log.info("blocklist.read");
      }
    } catch (error) {
      log.warn("blocklist.refused", {
        reason: error instanceof ProtocolError ? error.message : "unexpected",
      });
    }
    timer = clock.after(LOOK_MS, look);
  };
  timer = clock.after(LOOK_MS, look);
  return { blocked: (address) => current(address), stop: () => timer.cancel() };
}
