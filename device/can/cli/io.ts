/** What the command lines of this package get from whoever calls them: nothing here touches `process`. */
import type { CanBus } from "../bus/index.ts";

/** A stream that is written to; a person looks at it if `isTTY`. */
export type Output = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

export type CanIo = {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Ends what would go on for ever (a live bus) as if its input had ended. */
  readonly signal?: AbortSignal;
  /** Instead of the buses of this machine. */
  readonly openBus?: (name: string) => CanBus;
};

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export type ExitCode = typeof EXIT_DONE | typeof EXIT_FAILED | typeof EXIT_USAGE;

/** The caller asked for something that there is not. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A file or stream is not what it should be; the message names it. */
export class InputError extends Error {
  override readonly name = "InputError";
}

/** The reader of what we print has gone (`| head`): a reason to stop, not to complain. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

const CHUNK_CHARS = 65536;

/** Collects text and writes it in large pieces, waiting whenever the other side is slower. */
export class Printer {
  private readonly output: Output;
  private text = "";
  private failure: unknown = null;

  constructor(output: Output) {
    this.output = output;
    output.on("error", (error: unknown) => {
      this.failure = error;
    });
  }

  /** True when it is time to `flush`. */
  print(text: string): boolean {
    this.text += text;
    return this.text.length >= CHUNK_CHARS;
  }

  /** Resolves when the other side can take more. Rejects if it has gone. */
  async flush(): Promise<void> {
    if (this.failure !== null) throw this.failure;
    if (this.text === "") return;
    const text = this.text;
    this.text = "";
    if (this.output.write(text)) return;
    await new Promise<void>((resolve, reject) => {
      const done = (error?: unknown): void => {
        this.output.off("drain", done);
        this.output.off("error", done);
        if (error === undefined) resolve();
        else reject(error);
      };
      this.output.on("drain", done);
      this.output.on("error", done);
    });
  }
}
