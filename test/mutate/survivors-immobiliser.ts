/** Mutants of the immobiliser that no test kills, each with its reason; see survivors.ts. */
import { type Explained, NO_BOOKING, NOT_UP } from "./explained.ts";

const NO_PHASE = "What is no open rental has no phase: the types ask which it is.";
const BEGUN =
  "Each step gives work to be performed, whose outcome takes its place before it is read.";
const UNREAD = "A socket has no line settings: the type asks for them, and nobody reads them.";
const NOBODY_READS = "A socket that is closed here has no reader any more that waits to be told.";
const LEFT_OVER = "Listeners that are left are of a socket that goes with them.";
const NOT_SO_LONG = "The longest policy that its own schema lets through is shorter.";
const CHUNK = "How much is read at once: what is longer comes in pieces, which is tested.";
const CLOSE_TELLS = "The socket is destroyed by it, and its close tells the same end.";
const LISTENED =
  "While a read waits it listens for errors itself: this is for the moment between two.";

export const IMMOBILISER: readonly Explained[] = [
  {
    file: "device/immobiliser/can-lock-gate.ts",
    inLine:
      "const value = counter === undefined ? 0 : (count % 2 ** counter.bits) << counter.shift;",
    change: "0 → 1",
    why: "Without a counter no byte takes the value.",
  },
  {
    file: "device/immobiliser/executor.ts",
    inLine: "const { waitMs = 0 } = command;",
    change: "0 → 1",
    why: "Only a command that says how long it may wait is ever armed; the types do not know that.",
  },
  {
    file: "device/immobiliser/executor.ts",
    inLine: 'const by = this.#openers.has(command) ? "car" : "cloud";',
    change: '"car" → ""',
    why: "All that is asked of it is whether it is the cloud.",
  },
  {
    file: "device/immobiliser/interlocks.ts",
    inLine:
      'armed !== undefined && INTERLOCKS[armed.action]?.pulses.includes("inhibit_start") === true;',
    change: "?. → .",
    why: "What is armed was judged by its row, so it has one: the types do not know that.",
  },
  {
    file: "device/immobiliser/interlocks.ts",
    inLine:
      'return { pulses: rest, senses: "unlock", lacks: !rest.every((one) => abilities.has(one)) };',
    change: "every → some",
    why: "One pulse is left of this action where nothing is to be released: all and any are the same.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: 'Promise.reject(Object.assign(new Error("port closed"), { canceled: true }));',
    change: "{ canceled: true } → {}",
    why: "It ends a read of a port that is closed: the stream is at its end by then, a fault or not.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: 'Promise.reject(Object.assign(new Error("port closed"), { canceled: true }));',
    change: "true → false",
    why: "It ends a read of a port that is closed: the stream is at its end by then, a fault or not.",
  },
  {
    file: "device/immobiliser/armed.ts",
    inLine: "this.#held?.timer.cancel();",
    change: "?. → .",
    why: "It is only called while one is held; the types do not know that.",
  },
  {
    file: "device/immobiliser/can-lock-driver.ts",
    inLine: "const LOOK_MS = 20;",
    change: "20 → 21",
    why: "How often it looks is nobody's promise; how long it looks is tested.",
  },
  {
    file: "device/immobiliser/can-lock-driver.ts",
    inLine: "this.#gate.close();",
    change: "this.#gate.close(); → ;",
    why: "Between two actuations nothing asks the gate: it is closed so that nothing ever can.",
  },
  {
    file: "device/immobiliser/can-lock-driver.ts",
    inLine: "await this.#pause(Math.ceil(dueMs - clock.bootMs()));",
    change: "ceil → floor",
    why: "No timer is shorter than 1 ms, and the pauses that are left make up for the part of one.",
  },
  {
    file: "device/immobiliser/executor.ts",
    inLine: 'let input: OrderInput = { type: "nothing" };',
    change: '{ type: "nothing" } → {}',
    why: BEGUN,
  },
  {
    file: "device/immobiliser/executor.ts",
    inLine: 'let input: OrderInput = { type: "nothing" };',
    change: '"nothing" → ""',
    why: BEGUN,
  },
  {
    file: "device/immobiliser/interlocks.ts",
    inLine:
      "const what = missing(rule.condition, END_CONDITION_WORDS[rule.condition], holds, false);",
    change: "false → true",
    why: "What asks for the tenant's conditions never waits, so that it matters to nobody what would come.",
  },
  {
    file: "device/immobiliser/journal.ts",
    inLine: "WRITTEN.set(order, bytes);",
    change: "WRITTEN.set(order, bytes); → ;",
    why: "Nothing but time is lost where what was written is encoded once more.",
  },
  {
    file: "device/immobiliser/lock-driver.ts",
    inLine: 'if (state === "up") this.#line.send({ type: "statusRequest", selfTest: true });',
    change: 'state === "up" → true',
    why: NOT_UP,
  },
  {
    file: "device/immobiliser/rental-desk.ts",
    inLine:
      'return { quality: "good", value: rental.value === "open" ? rental.booking : undefined };',
    change: 'rental.value === "open" → true',
    why: NO_BOOKING,
  },
  {
    file: "device/immobiliser/rental-policy.ts",
    inLine: "const CONTENT_BYTES_MAX = 60 * 1024;",
    change: "60 → 61",
    why: NOT_SO_LONG,
  },
  {
    file: "device/immobiliser/rental-policy.ts",
    inLine: "const CONTENT_BYTES_MAX = 60 * 1024;",
    change: "1024 → 1025",
    why: NOT_SO_LONG,
  },
  {
    file: "device/immobiliser/rental-policy.ts",
    inLine:
      'content: field(1, bytes(0, CONTENT_BYTES_MAX), { ...internal, doc: "as it was signed" }),',
    change: "0 → 1",
    why: "A policy of no bytes is none and was refused before.",
  },
  {
    file: "device/immobiliser/rental.ts",
    inLine: 'const isIdle = rental.value === "open" && rental.phase === "unstarted";',
    change: 'rental.value === "open" → true',
    why: NO_PHASE,
  },
  {
    file: "device/immobiliser/rental.ts",
    inLine:
      'if (rental.value !== "open" || !from.includes(rental.phase)) return { rental, effects: [] };',
    change: 'rental.value !== "open" → false',
    why: NO_PHASE,
  },
  {
    file: "device/immobiliser/order.ts",
    inLine: "return apply(verdict, { ...then, opens: false }, durable);",
    change: "false → true",
    why: "What moves nothing is executed, and is applied as that.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "const LINE_SETTINGS = {",
    change: '{ dataBits: 8, lock: true, stopBits: 1, parity: "none", rtsc… → {}',
    why: "They are what the library takes where nothing is said; here they are said.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "dataBits: 8,",
    change: "8 → 9",
    why: "A pseudo-terminal has eight bits whatever it is asked for.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "lock: true,",
    change: "true → false",
    why: "Whoever runs as root opens a locked port all the same.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: 'parity: "none",',
    change: '"none" → ""',
    why: "A parity that the library does not know is none to it.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "const CHUNK_BYTES_MAX = 64 * 1024;",
    change: "64 → 65",
    why: CHUNK,
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "const CHUNK_BYTES_MAX = 64 * 1024;",
    change: "1024 → 1025",
    why: CHUNK,
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "this.openOptions = { ...LINE_SETTINGS, ...options };",
    change: "this.openOptions = { ...LINE_SETTINGS, ...options }; → ;",
    why: UNREAD,
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "this.openOptions = { ...LINE_SETTINGS, ...options };",
    change: "{ ...LINE_SETTINGS, ...options } → {}",
    why: UNREAD,
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "if (this.#socket.destroyed) return canceled();",
    change: "this.#socket.destroyed → false",
    why: "A read of what is closed then waits for ever, and nobody for it.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: 'if (this.#socket.readableEnded) throw new Error("the other side closed the socket");',
    change: "this.#socket.readableEnded → false",
    why: CLOSE_TELLS,
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "this.#socket.write(buffer, (error) => (error ? reject(error) : resolve()));",
    change: "error → false",
    why: CLOSE_TELLS,
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine:
      'await Promise.race(["readable", "close"].map((name) => once(this.#socket, name, { signal })));',
    change: ', "close" → nothing',
    why: NOBODY_READS,
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine:
      'await Promise.race(["readable", "close"].map((name) => once(this.#socket, name, { signal })));',
    change: '"close" → ""',
    why: NOBODY_READS,
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine:
      'await Promise.race(["readable", "close"].map((name) => once(this.#socket, name, { signal })));',
    change: "{ signal } → {}",
    why: LEFT_OVER,
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "either.abort();",
    change: "either.abort(); → ;",
    why: LEFT_OVER,
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: 'socket.on("error", () => undefined);',
    change: 'socket.on("error", () => undefined); → ;',
    why: LISTENED,
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: 'socket.on("error", () => undefined);',
    change: '"error" → ""',
    why: LISTENED,
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "stream.destroy();",
    change: "stream.destroy(); → ;",
    why: "What has ended has let its port go by itself, on a tty and on a socket.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "if (closed || !stream.isOpen) return false;",
    change: "closed → false",
    why: "What has ended is not open either: both are asked, as a byte that comes late may open a car.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: "if (stream.isOpen) stream.close();",
    change: "stream.isOpen → true",
    why: "A stream that is not open says so, and whoever is told has been told before.",
  },
  {
    file: "device/immobiliser/zones.ts",
    inLine: "return ((((a - b + 180) % 360) + 360) % 360) - 180;",
    change: "+ → -",
    why: "Half a circle to the east is half a circle to the west.",
  },
  {
    file: "device/immobiliser/zones.ts",
    inLine: "if (x1 > 0 === x2 > 0 || Math.abs(x1 - x2) > 180) continue;",
    change: "> → >=",
    why: "An edge of just 180 degrees is no edge of a city.",
  },
  {
    file: "device/immobiliser/zones.ts",
    inLine: "if (latitude > at.latitude) odd = !odd;",
    change: "> → <=",
    why: "A closed line is crossed an even number of times, so north and south are odd together.",
  },
];
