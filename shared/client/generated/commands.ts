/** Of the API, what has the tag "commands": made by `node scripts/client.ts` from the API's description. */
import type { Page } from "../page.ts";

export type AskCommandBody = {
  /** what to do */ readonly action: "lock" | "unlock" | "trunk" | "immobilise" | "release" | "unlock_and_release" | "lock_and_immobilise" | "find" | "end_rental" | "cancel" | "terminate";
  /** the booking it is for; needed unless the token has the scope commands:operate */ readonly booking?: string;
  /** wake a car that sleeps, and give it so many milliseconds; 0: do not */ readonly wakeMs?: number;
  /** immobilising and terminate: wait on the car until it stands, for so many milliseconds; else it is refused */ readonly armMs?: number;
  /** cancel only: the armed command */ readonly target?: string;
};

export type Command = {
  /** its id */ readonly id: string;
  /** the car */ readonly vehicle: string;
  /** what was asked */ readonly action: "lock" | "unlock" | "trunk" | "immobilise" | "release" | "unlock_and_release" | "lock_and_immobilise" | "find" | "end_rental" | "cancel" | "terminate";
  /** the booking it is for */ readonly booking?: string;
  /** where it stands */ readonly state: "accepted" | "signed" | "sent" | "received" | "executed" | "refused" | "expired" | "unknown" | "failed" | "armed" | "waking" | "cancelled";
  /** nothing more will come of it, but a late answer of the car */ readonly final: boolean;
  readonly steps: readonly ({
    /** step */ readonly state: "accepted" | "signed" | "sent" | "received" | "executed" | "refused" | "expired" | "unknown" | "failed" | "armed" | "waking" | "cancelled";
    /** when (ISO 8601 with an offset) */ readonly at: string;
  })[];
  /** when it becomes `unknown` if the car has not answered (ISO 8601 with an offset) */ readonly deadline: string;
  /** the car's own signed answer */ readonly result?: {
    /** what the car says became of it */ readonly status: string;
    /** the recorded answer to one seen before */ readonly replayed: boolean;
    /** every condition that was not met */ readonly unmet: readonly ({
      /** its name */ readonly condition: string;
      /** in words */ readonly words: string;
    })[];
    /** the state after it, by the sensors */ readonly sensed?: {
      /** all bolts seen locked */ readonly locked: "yes" | "no" | "unknown";
      /** start inhibited */ readonly immobilised: "yes" | "no" | "unknown";
      /** all doors and the trunk seen closed */ readonly doorsClosed: "yes" | "no" | "unknown";
    };
    /** intent and result are on the car's disk */ readonly durable: boolean;
    /** why it failed, e.g. jam */ readonly reason?: string;
    /** the bolts may have moved all the same */ readonly mayHaveSucceeded: boolean;
  };
  readonly error?: {
    /** a code of the table of errors */ readonly code: string;
    /** in words */ readonly words: string;
    /** it may have happened all the same */ readonly mayHaveSucceeded: boolean;
    /** asking again later is worth while */ readonly temporary: boolean;
  };
};

export type CommandsOperations = {
  /** Ask a car for something: now or never, and once for an Idempotency-Key. */
  readonly askCommand: {
    readonly ask: {
      readonly path: { readonly vehicle: string; };
      readonly query?: { /** wait up to so many milliseconds, to 30000 */ readonly wait?: number; };
      /** Made where none is given. */ readonly idempotencyKey?: string;
      readonly body: AskCommandBody;
    };
    readonly answer: Command;
  };
  /** Take back a command that was not signed yet. */
  readonly cancelCommand: {
    readonly ask: {
      readonly path: { readonly command: string; };
    };
    readonly answer: Command;
  };
  /** One command as it stands, or, with `wait`, as soon as it has ended. */
  readonly getCommand: {
    readonly ask: {
      readonly path: { readonly command: string; };
      readonly query?: { /** wait up to so many milliseconds, to 30000 */ readonly wait?: number; };
    };
    readonly answer: Command;
  };
  /** The newest commands of a car. */
  readonly listCommands: {
    readonly ask: {
      readonly path: { readonly vehicle: string; };
      readonly query?: { /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<Command>;
  };
};
