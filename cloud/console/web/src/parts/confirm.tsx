/** A question that must be answered before something happens. */
import { useEffect, useRef } from "preact/hooks";
import { useSpeech } from "../words/words.ts";

export type Question = {
  readonly title: string;
  readonly text: string;
  readonly yes: string;
  readonly act: () => void;
};

export function Confirm(props: {
  readonly question: Question | undefined;
  readonly done: () => void;
}) {
  const { question, done } = props;
  const { say } = useSpeech();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (question !== undefined) dialog.current?.showModal();
  }, [question]);
  const answer = (yes: boolean): void => {
    dialog.current?.close();
    if (yes) question?.act();
    done();
  };
  return (
    <dialog ref={dialog} aria-labelledby="confirm-title" onCancel={() => answer(false)}>
      <h2 id="confirm-title">{question?.title}</h2>
      <p>{question?.text}</p>
      <div class="row end">
        <button type="button" onClick={() => answer(false)}>
          {say("cancel")}
        </button>
        <button type="button" class="primary" onClick={() => answer(true)}>
          {question?.yes}
        </button>
      </div>
    </dialog>
  );
}
