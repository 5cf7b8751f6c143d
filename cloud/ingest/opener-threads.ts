/**
 * Threads that open bodies and check their columns, so that the thread that takes messages in has its time for the
 * store. Which thread took what shows nowhere: each order has its own answer, and whoever needs an order of them waits
 * for the answers in that order.
 *
 * Bounds: `ORDERS_MAX` bodies wait for a thread at most; what is above is opened where it is asked for, which slows down
 * who asks. A thread that ends is replaced, and what it had is opened here; one that ends time and again before it has
 * answered anything is given up, and the others, or this thread, do its work.
 */
import { Worker } from "node:worker_threads";
import { type CheckedColumns, type Log, ProtocolError } from "@kerbside/protocol";
import { type BodyOrder, type Openers, openHere } from "./opener.ts";
import { type Answers, packOrders, unpackAnswers } from "./opener-messages.ts";

/** Bodies that wait for one thread: as many as a tenant may have under way. Their messages are held anyway. */
const ORDERS_MAX = 1_024;
/**
 * Sent at once when there are so many, or so many events in them; fewer wait for what this turn of the event loop brings.
 * More at once would keep the store waiting for the first of them: it can begin with what some 2 ms of a thread open.
 */
const ORDERS_AT_ONCE = 16;
const EVENTS_AT_ONCE = 2_048;
/** What so few events cost is less than handing them over. */
const HERE_EVENTS_MAX = 12;
/** Ends in a row without an answer before them. */
const ENDS_MAX = 3;
/** What a thread may keep: bodies are at most 256 KiB, and columns inflate to a bounded size. */
const HEAP_MB = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 32 } as const;

export type ThreadOpenersOptions = {
  /** At least one. */
  readonly threads: number;
  readonly log: Log;
  /** What a thread runs; a test has others. */
  readonly program?: URL;
};

type Waiting = {
  readonly order: BodyOrder;
  readonly resolve: (columns: CheckedColumns) => void;
  readonly reject: (error: unknown) => void;
};

/** `createIngest` has made the cryptography ready where this is used. */
export function threadOpeners({
  threads,
  log,
  program = ownProgram(),
}: ThreadOpenersOptions): Openers {
  const all = Array.from({ length: threads }, () => new OpenerThread(program, log));
  return {
    open: async (order) => {
      if (order.place.count <= HERE_EVENTS_MAX) return openHere(order);
      const idlest = all.reduce((best, one) => (one.room > best.room ? one : best));
      return idlest.room > 0 ? idlest.open(order) : openHere(order);
    },
    close: async () => {
      await Promise.all(all.map((thread) => thread.close()));
    },
  };
}

/** Beside this file, built or not. */
function ownProgram(): URL {
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`opener-thread.${ending}`, import.meta.url);
}

class OpenerThread {
  readonly #program: URL;
  readonly #log: Log;
  /** Undefined before the first order, after the thread's end, and once it was given up. */
  #worker: Worker | undefined;
  #next: Waiting[] = [];
  #nextEvents = 0;
  /** Messages that were sent, each with its orders, the oldest first. */
  #sent: (readonly Waiting[])[] = [];
  #waiting = 0;
  #isDue = false;
  #ends = 0;
  #isClosed = false;

  constructor(program: URL, log: Log) {
    this.#program = program;
    this.#log = log;
  }

  /** How many more it takes; none where it was given up. */
  get room(): number {
    return this.#ends >= ENDS_MAX ? 0 : ORDERS_MAX - this.#waiting;
  }

  open(order: BodyOrder): Promise<CheckedColumns> {
    return new Promise((resolve, reject) => {
      this.#next.push({ order, resolve, reject });
      this.#waiting += 1;
      this.#nextEvents += order.place.count;
      if (this.#next.length >= ORDERS_AT_ONCE || this.#nextEvents >= EVENTS_AT_ONCE) this.#send();
      else if (!this.#isDue) {
        this.#isDue = true;
        setImmediate(() => {
          this.#isDue = false;
          this.#send();
        });
      }
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.terminate();
  }

  #send(): void {
    if (this.#next.length === 0) return;
    const orders = this.#next;
    this.#next = [];
    this.#nextEvents = 0;
    const worker = this.#worker ?? this.#start();
    this.#sent.push(orders);
    // While something is under way the process has a reason to live.
    worker.ref();
    const { numbers, bytes } = packOrders(orders.map(({ order }) => order));
    worker.postMessage({ numbers, bytes }, [numbers.buffer, bytes.buffer]);
  }

  #start(): Worker {
    const worker = new Worker(this.#program, { resourceLimits: HEAP_MB });
    this.#worker = worker;
    worker.on("message", (answers: Answers) => this.#answered(worker, answers));
    // What it was says the end that follows.
    worker.on("error", () => undefined);
    worker.once("exit", () => this.#ended());
    return worker;
  }

  #answered(worker: Worker, answers: Answers): void {
    this.#ends = 0;
    const orders = this.#sent.shift() ?? [];
    this.#waiting -= orders.length;
    if (this.#sent.length === 0) worker.unref();
    const found = unpackAnswers(answers);
    for (const { order, resolve, reject } of orders) {
      order.key.fill(0);
      const { value } = found.next();
      if (value === undefined) reject(new ProtocolError("unavailable", "opener: gave no answer"));
      else if (value instanceof Error) reject(value);
      else resolve(value);
    }
  }

  #ended(): void {
    this.#worker = undefined;
    if (this.#isClosed) return;
    this.#ends += 1;
    const lost = this.#sent.flat();
    this.#sent = [];
    this.#waiting -= lost.length;
    this.#log.warn("ingest.opener_ended", { waiting: lost.length, failures: this.#ends });
    openOneByOne(lost);
  }
}

/** Here, with turns for others in between. */
function openOneByOne([first, ...rest]: readonly Waiting[]): void {
  if (first === undefined) return;
  try {
    first.resolve(openHere(first.order));
  } catch (error) {
    first.reject(error);
  }
  setImmediate(() => openOneByOne(rest));
}
