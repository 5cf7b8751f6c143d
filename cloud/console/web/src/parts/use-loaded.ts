/** What is being fetched, what came, or why not. */
import { Problem } from "@kerbside/client";
import { useCallback, useEffect, useState } from "preact/hooks";

export type Loaded<T> = {
  readonly value: T | undefined;
  /** The last attempt failed, with these words. */
  readonly failed: string | undefined;
  readonly again: () => void;
};

/** Fetches at once and whenever `again` is called or `key` changes; late answers to older questions are dropped. */
export function useLoaded<T>(load: () => Promise<T>, key: string): Loaded<T> {
  const [turn, setTurn] = useState(0);
  const [value, setValue] = useState<T>();
  const [failed, setFailed] = useState<string>();
  // `load` closes over what `key` names.
  useEffect(() => {
    let late = false;
    load().then(
      (found) => {
        if (late) return;
        setValue(() => found);
        setFailed(undefined);
      },
      (error: unknown) => {
        if (!late) setFailed(error instanceof Problem ? error.message : "");
      },
    );
    return () => {
      late = true;
    };
  }, [key, turn]);
  const again = useCallback(() => setTurn((now) => now + 1), []);
  return { value, failed, again };
}
