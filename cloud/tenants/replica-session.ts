/**
 * What of a served replica outlives a connection: how far each log was shipped when the other side last said that all was
 * on its disk. Where the same process dials again within a minute it goes on from there. Whoever comes later, or was
 * started anew, gets whole copies: nobody knows then what its disk has.
 */
import type { Clock, Timer } from "@kerbside/protocol";
import { randomBytes, toHex } from "@kerbside/protocol";
import { type Replica, replicaTo } from "./replica.ts";
import { SESSION_CHARS } from "./replica-frames.ts";
import type { ReplicaTarget } from "./replica-target.ts";

/** Logs cannot begin anew while it is waited for, and grow. */
const WAITED_MS_MAX = 60_000;

type Session = {
  readonly id: string;
  readonly replica: Replica;
  /** What is done to the replica is done to this one from now on. */
  readonly turnTo: (target: ReplicaTarget) => void;
};

export class ReplicaSessions {
  readonly #source: string;
  readonly #clock: Clock;
  #session: Session | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Timer | undefined;

  constructor(source: string, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** The replica over this connection. `known`: the session whose last round the other side has. */
  async begin(
    known: string,
    target: ReplicaTarget,
  ): Promise<{ readonly id: string; readonly replica: Replica }> {
    // A round that was cut off must have ended before its steps could go to somebody else.
    await this.#running.catch(() => undefined);
    this.#waiting?.cancel();
    if (this.#session?.id === known) this.#session.replica.rewind();
    else {
      this.#session?.replica.close();
      this.#session = newSession(this.#source, target);
    }
    const { id, replica, turnTo } = this.#session;
    turnTo(target);
    const round: Replica["round"] = () => {
      const running = replica.round();
      this.#running = running;
      return running;
    };
    return { id, replica: { ...replica, round, close: () => target.close() } };
  }

  /** The connection ended. */
  ended(): void {
    this.#waiting?.cancel();
    this.#waiting = this.#clock.after(WAITED_MS_MAX, () => this.close());
  }

  close(): void {
    this.#waiting?.cancel();
    this.#session?.replica.close();
    this.#session = undefined;
  }
}

function newSession(source: string, first: ReplicaTarget): Session {
  let now = first;
  const target: ReplicaTarget = {
    database: (path) => ({
      copy: (from) => now.database(path).copy(from),
      begin: (header) => now.database(path).begin(header),
      append: (at, pieces) => now.database(path).append(at, pieces),
      takeIn: () => now.database(path).takeIn(),
    }),
    put: (path, content) => now.put(path, content),
    keepTenants: (names) => now.keepTenants(names),
    room: () => now.room(),
    settled: () => now.settled(),
    close: () => now.close(),
  };
  return {
    id: toHex(randomBytes(SESSION_CHARS / 2)),
    replica: replicaTo(source, target),
    turnTo: (next) => {
      now = next;
    },
  };
}
