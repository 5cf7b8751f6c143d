/** A question that must be answered before something happens, and a reason where one is kept. */
import { useEffect, useRef } from "preact/hooks";
import { useSpeech } from "../words/words.ts";

export type Question = {
  readonly title: string;
  readonly text: string;
  readonly yes: string;
  /** The reason is asked for, and goes into the audit trail. */
  readonly why?: boolean;
  readonly act: (reason: string) => void;
};

/** As the API asks of a reason. */
const REASON_CHARS = { min: 4, max: 200 } as const;

export function Confirm(props: {
  readonly question: Question | undefined;
  readonly done: () => void;
}) {
  const { question, done } = props;
  const { say } = useSpeech();
  const dialog = useRef<HTMLDialogElement>(null);
  const reason = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (question !== undefined) dialog.current?.showModal();
  }, [question]);
  const leave = (): void => {
    dialog.current?.close();
    done();
  };
  return (
    <dialog ref={dialog} aria-labelledby="confirm-title" onCancel={leave}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          const why = reason.current?.value.trim() ?? "";
          leave();
          question?.act(why);
        }}
      >
        <h2 id="confirm-title">{question?.title}</h2>
        <p>{question?.text}</p>
        {question?.why === true && (
          <label>
            {say("reason")}
            <input
              ref={reason}
              required
              minLength={REASON_CHARS.min}
              maxLength={REASON_CHARS.max}
              autocomplete="off"
            />
          </label>
        )}
        <div class="row end">
          <button type="button" onClick={leave}>
            {say("cancel")}
          </button>
          <button type="submit" class="primary">
            {question?.yes}
          </button>
        </div>
      </form>
    </dialog>
  );
}
