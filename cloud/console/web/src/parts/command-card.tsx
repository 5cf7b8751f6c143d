/** One command: each step with its time, and everything the car said about it. */
import type { Command } from "../types.ts";
import type { Word } from "../words/en.ts";
import { type Speech, useSpeech } from "../words/words.ts";

type Row = { readonly tone: "busy" | "good" | "bad" | "doubt"; readonly word: Word };
const STATES: Readonly<Record<string, Row>> = {
  accepted: { tone: "busy", word: "stateAccepted" },
  signed: { tone: "busy", word: "stateSigned" },
  sent: { tone: "busy", word: "stateSent" },
  received: { tone: "busy", word: "stateReceived" },
  armed: { tone: "busy", word: "stateArmed" },
  waking: { tone: "busy", word: "stateWaking" },
  executed: { tone: "good", word: "stateExecuted" },
  refused: { tone: "bad", word: "stateRefused" },
  expired: { tone: "bad", word: "stateExpired" },
  unknown: { tone: "doubt", word: "stateUnknown" },
  failed: { tone: "bad", word: "stateFailed" },
  cancelled: { tone: "bad", word: "stateCancelled" },
};
const rowOf = (state: string): Row => STATES[state] ?? { tone: "busy", word: "stateUnknown" };

export function actionName(action: string, { say }: Speech): string {
  if (action === "unlock") return say("actionUnlock");
  return action === "lock" ? say("actionLock") : action;
}

export function CommandCard({ command }: { readonly command: Command }) {
  const speech = useSpeech();
  const { say, clock } = speech;
  const { tone, word } = rowOf(command.state);
  const beganMs = Date.parse(command.steps[0]?.at ?? "");
  return (
    <article class={`command ${tone}`} data-command={command.id} data-state={command.state}>
      <h4>
        {actionName(command.action, speech)} – {say(word)}
      </h4>
      <ol class="steps">
        {command.steps.map(({ state, at }, i) => {
          const afterMs = Date.parse(at) - beganMs;
          const row = rowOf(state);
          return (
            <li key={`${state} ${at}`} class={row.tone}>
              <span class="step">{say(row.word)}</span>
              <span class="after">{i === 0 ? clock(at) : `+${afterMs} ms`}</span>
            </li>
          );
        })}
      </ol>
      <Findings command={command} />
      <p class="id">{command.booking ?? say("asStaff")}</p>
    </article>
  );
}

const SENSED: Readonly<Record<string, Word>> = {
  locked: "locked",
  immobilised: "immobilised",
  doorsClosed: "doorsShut",
};
const SEEN: Readonly<Record<string, Word>> = { yes: "yes", no: "no", unknown: "unknown" };

/** What a newer car names and this page does not know is shown as it is. */
function sensedWords(name: string, seen: string, say: Speech["say"]): string {
  const [what, how] = [SENSED[name], SEEN[seen]];
  return `${what === undefined ? name : say(what)}: ${how === undefined ? seen : say(how)}`;
}

function Findings({ command }: { readonly command: Command }) {
  const { say } = useSpeech();
  const { result, error } = command;
  const unmet = result?.unmet ?? [];
  const sensed = Object.entries(result?.sensed ?? {});
  return (
    <>
      {unmet.length > 0 && (
        <>
          <p class="why">{say("because")}:</p>
          <ul class="findings">
            {unmet.map(({ condition, words }) => (
              <li key={condition} class="unmet">
                {words || condition}
              </li>
            ))}
          </ul>
        </>
      )}
      {error !== undefined && unmet.length === 0 && <p class="why">{error.words}</p>}
      {result?.reason !== undefined && (
        <p class="why">{say("carSays", { reason: result.reason })}</p>
      )}
      {result?.durable === false && <p class="why">{say("notDurable")}</p>}
      {error?.mayHaveSucceeded === true && <p class="doubt">{say("mayHave")}</p>}
      {sensed.length > 0 && (
        <p class="hint">
          {say("seenAfter")}:{" "}
          {sensed.map(([name, seen]) => sensedWords(name, seen, say)).join(", ")}
        </p>
      )}
    </>
  );
}
