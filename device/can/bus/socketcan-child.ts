/**
 * A process of its own that does nothing but move frames between one SocketCAN interface and the agent: nothing
 * slow can make it lose frames, and when the native code ends the process, it is not the agent's. It ends itself
 * whenever its channel is of no more use (a channel can be neither closed nor started twice); the agent then
 * starts another. Speaks `wire.ts` over file descriptor 3. Arguments: the interface, and its filters as JSON.
 */
import { Socket } from "node:net";
import type { CanFilter } from "./filters.ts";
import { linuxInterfaces } from "./linux-interfaces.ts";
import { monotonicUs } from "./monotonic.ts";
import { ERROR_MASK_ALL } from "./socketcan-errors.ts";
import { type Message, type OpenChannel, Receiver, WATCH_MS } from "./socketcan-receiver.ts";

type NativeChannel = {
  addListener(event: "onMessage", run: (message: Message) => void): void;
  addListener(event: "onStopped", run: () => void): void;
  start(): void;
  /** Bytes, or -1. */
  send(message: Message): number;
  sendFD(message: Message): number;
  setRxFilters(filters: readonly CanFilter[]): void;
  setErrorFilters(mask: number): void;
};

/** The agent's end of the pipe; a socket, because writing to it never blocks. */
const AGENT_FD = 3;

const openChannel: OpenChannel = async (name, filters, { onMessage, onStopped }) => {
  const { createRawChannelWithOptions } = await import("socketcan");
  // The kernel's time of each frame would cost a system call of its own; the receiver's clock is near enough.
  const raw: NativeChannel = createRawChannelWithOptions(name, {
    timestamps: false,
    non_block_send: true,
  });
  if (filters.length > 0) raw.setRxFilters(filters);
  raw.setErrorFilters(ERROR_MASK_ALL);
  raw.addListener("onMessage", onMessage);
  raw.addListener("onStopped", onStopped);
  raw.start();
  return { send: (message, fd) => (fd ? raw.sendFD(message) : raw.send(message)) > 0 };
};

function filtersOf(json: string): CanFilter[] {
  const list: unknown = JSON.parse(json);
  const isFilter = (item: unknown): item is CanFilter =>
    typeof item === "object" &&
    item !== null &&
    "id" in item &&
    typeof item.id === "number" &&
    "mask" in item &&
    typeof item.mask === "number";
  return Array.isArray(list) ? list.filter(isFilter) : [];
}

const [name = "", filters = "[]"] = process.argv.slice(2);
const agent = new Socket({ fd: AGENT_FD });
agent.on("error", () => process.exit(0));
agent.on("close", () => process.exit(0));
const receiver = new Receiver({
  name,
  filters: filtersOf(filters),
  agent,
  interfaces: linuxInterfaces,
  open: openChannel,
  monotonicUs,
  onEnd: () => agent.end(() => process.exit(0)),
});
const watch = (): Promise<void> =>
  receiver.watch().catch((error: unknown) => receiver.end(String(error)));
await watch();
setInterval(() => void watch(), WATCH_MS);
