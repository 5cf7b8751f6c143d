/** An address that is to be told what changes, and of what. */
import type { Webhook } from "../types.ts";
import type { Word } from "../words/en.ts";
import { useSpeech } from "../words/words.ts";

type Topic = Webhook["topics"][number];
export const TOPIC_WORDS: Readonly<Record<Topic, Word>> = {
  vehicle: "topicVehicle",
  booking: "topicBooking",
  command: "topicCommand",
  events: "topicEvents",
};
const TOPICS = ["vehicle", "booking", "command", "events"] as const satisfies readonly Topic[];
/** As the API takes addresses. */
const URL_CHARS_MAX = 512;

type Body = { readonly url: string; readonly topics: readonly Topic[] };
type Props = {
  /** `done` once it is there: what was typed is kept where it was refused. */
  readonly add: (body: Body, done: () => void) => void;
};

export function NewWebhook({ add }: Props) {
  const { say } = useSpeech();
  const submit = (form: HTMLFormElement): void => {
    const data = new FormData(form);
    const topics = TOPICS.filter((topic) => data.has(topic));
    add({ url: String(data.get("url")).trim(), topics }, () => form.reset());
  };
  return (
    <form
      class="card form"
      onSubmit={(event) => {
        event.preventDefault();
        submit(event.currentTarget);
      }}
    >
      <label>
        {say("receiver")}
        <input
          name="url"
          type="url"
          required
          maxLength={URL_CHARS_MAX}
          placeholder="https://"
          autocomplete="off"
        />
      </label>
      <fieldset>
        <legend>{say("topicsHint")}</legend>
        {TOPICS.map((topic) => (
          <label key={topic} class="tick">
            <input type="checkbox" name={topic} />
            {say(TOPIC_WORDS[topic])}
          </label>
        ))}
      </fieldset>
      <button type="submit" class="primary">
        {say("addWebhook")}
      </button>
    </form>
  );
}
