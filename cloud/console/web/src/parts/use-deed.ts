/** Doing something that may be refused: its words are kept until the next attempt. */
import { Problem } from "@kerbside/client";
import { useState } from "preact/hooks";
import { useSpeech } from "../words/words.ts";

export type Deed = {
  /** Why the last attempt failed. */
  readonly failed: string | undefined;
  /** `after` follows whatever becomes of it: what is shown may have changed all the same. */
  readonly act: (deed: () => Promise<unknown>) => void;
};

export function useDeed(after: () => void): Deed {
  const { say } = useSpeech();
  const [failed, setFailed] = useState<string>();
  const run = async (deed: () => Promise<unknown>): Promise<void> => {
    setFailed(undefined);
    try {
      await deed();
    } catch (error) {
      setFailed(error instanceof Problem ? error.message : say("failed"));
    }
    after();
  };
  return { failed, act: (deed) => void run(deed) };
}
