/** Addresses of the operator's that are told what changes: whether they take it, and what became of what they did not. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { Confirm, type Question } from "../parts/confirm.tsx";
import { DeadLetters } from "../parts/dead-letters.tsx";
import { Failed } from "../parts/failed.tsx";
import { NewWebhook, TOPIC_WORDS } from "../parts/new-webhook.tsx";
import { type Deed, useDeed } from "../parts/use-deed.ts";
import { useLoaded } from "../parts/use-loaded.ts";
import type { Webhook } from "../types.ts";
import type { Word } from "../words/en.ts";
import { useSpeech } from "../words/words.ts";

/** No announcement says how deliveries go, so it is asked. */
const LOOK_MS = 3000;
const OFF: Readonly<Record<NonNullable<Webhook["off"]>, Word>> = {
  asked: "hookAsked",
  gone: "hookGone",
  unreachable: "hookUnreachable",
  full: "hookFull",
};

/** Kept by the page alone, until somebody says that they have it. */
type Secret = { readonly url: string; readonly secret: string };

export function WebhooksPage({ api }: { readonly api: Api }) {
  const { say } = useSpeech();
  const list = useLoaded(() => api.call("listWebhooks"), "webhooks");
  const deed = useDeed(list.again);
  const [secret, setSecret] = useState<Secret>();
  const [question, setQuestion] = useState<Question>();
  useEffect(() => {
    const timer = setInterval(list.again, LOOK_MS);
    return () => clearInterval(timer);
  }, [list.again]);
  const failed = deed.failed ?? list.failed;
  return (
    <section aria-labelledby="webhooks-title">
      <h2 id="webhooks-title">{say("navWebhooks")}</h2>
      <p class="hint">{say("webhooksHint")}</p>
      {api.may("webhooks:write") && (
        <NewWebhook
          add={(body, done) =>
            deed.act(async () => {
              setSecret(await api.call("addWebhook", { body }));
              done();
            })
          }
        />
      )}
      <Failed words={failed === "" ? say("failed") : failed} />
      {secret !== undefined && <Shown {...secret} kept={() => setSecret(undefined)} />}
      {list.value?.items.length === 0 && <p class="hint">{say("noWebhooks")}</p>}
      {list.value?.items.map((webhook) => (
        <One key={webhook.webhook} {...{ api, webhook, deed }} ask={setQuestion} show={setSecret} />
      ))}
      <Confirm question={question} done={() => setQuestion(undefined)} />
    </section>
  );
}

function Shown({ url, secret, kept }: Secret & { readonly kept: () => void }) {
  const { say } = useSpeech();
  const card = useRef<HTMLElement>(null);
  // It may have been asked for far below.
  useEffect(() => card.current?.focus(), [secret]);
  return (
    <section ref={card} class="card" tabIndex={-1} aria-labelledby="secret-title">
      <h3 id="secret-title">{say("secretOf", { host: new URL(url).host })}</h3>
      <p>{say("secretOnce")}</p>
      <p class="id" data-secret>
        <code>{secret}</code>
      </p>
      <button type="button" class="primary" onClick={kept}>
        {say("secretKept")}
      </button>
    </section>
  );
}

type OneProps = {
  readonly api: Api;
  readonly webhook: Webhook;
  readonly deed: Deed;
  readonly ask: (question: Question) => void;
  readonly show: (secret: Secret) => void;
};

function One({ api, webhook, deed, ask, show }: OneProps) {
  const { say, dayAndTime } = useSpeech();
  const { webhook: id, url, topics, waiting, overlapUntil, dead } = webhook;
  const path = { webhook: id };
  const host = new URL(url).host;
  const turn = (on: boolean): void =>
    deed.act(() => api.call("changeWebhook", { path, body: { on } }));
  const rotate = (): void =>
    ask({
      title: say("newSecretQuestion", { host }),
      text: say("newSecretWarning"),
      yes: say("newSecret"),
      act: () => deed.act(async () => show(await api.call("rotateWebhook", { path }))),
    });
  const remove = (): void =>
    ask({
      title: say("removeQuestion", { host }),
      text: say("removeWarning"),
      yes: say("remove"),
      act: () => deed.act(() => api.call("removeWebhook", { path })),
    });
  const told = topics.map((each) => say(TOPIC_WORDS[each])).join(", ") || say("topicAll");
  return (
    <article class="card" data-webhook={id} aria-labelledby={`webhook-${id}`}>
      <h3 id={`webhook-${id}`} class="address">
        {url}
      </h3>
      <Standing webhook={webhook} />
      {waiting?.why !== undefined && (
        <p>
          {say("notTaken", { why: waiting.why, attempts: waiting.attempts })}{" "}
          {webhook.on && say("nextTry", { when: dayAndTime(waiting.dueAt) })}
        </p>
      )}
      <p class="sub">
        {say("told")}: {told}
        {overlapUntil !== undefined &&
          Date.parse(overlapUntil) > Date.now() &&
          `. ${say("overlap", { when: dayAndTime(overlapUntil) })}`}
      </p>
      {dead > 0 && <DeadLetters api={api} webhook={id} dead={dead} deed={deed} />}
      {api.may("webhooks:write") && (
        <div class="row wrap">
          <button type="button" onClick={() => turn(!webhook.on)}>
            {say(webhook.on ? "turnOff" : "turnOn")}
          </button>
          <button type="button" onClick={rotate}>
            {say("newSecret")}
          </button>
          <button type="button" onClick={remove}>
            {say("remove")}
          </button>
        </div>
      )}
    </article>
  );
}

/** In words, and in a colour that says no more than they do. */
function Standing({ webhook: { on, off, offSince, failingSince } }: { readonly webhook: Webhook }) {
  const { say, dayAndTime } = useSpeech();
  if (!on) {
    const why = say(off === undefined ? "unknown" : OFF[off]);
    const when = dayAndTime(offSince ?? "");
    return <p class="sub bad">{say("hookOff", { why, when })}</p>;
  }
  if (failingSince !== undefined)
    return <p class="sub bad">{say("hookFailing", { when: dayAndTime(failingSince) })}</p>;
  return <p class="good">{say("hookOn")}</p>;
}
