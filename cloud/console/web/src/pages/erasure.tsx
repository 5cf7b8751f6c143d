/** The end of what is kept of people (P-81, P-82): who is due for which stage, holds, and the signed certificate. */
import { useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { Confirm, type Question } from "../parts/confirm.tsx";
import { Failed } from "../parts/failed.tsx";
import { Table } from "../parts/table.tsx";
import { type Deed, useDeed } from "../parts/use-deed.ts";
import { useLoaded } from "../parts/use-loaded.ts";
import type { Certificate, DueErasure, Hold } from "../types.ts";
import type { Word } from "../words/en.ts";
import { useSpeech } from "../words/words.ts";

const SHOWN = 200;
const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
const STAGES: Readonly<Record<DueErasure["stage"], Word>> = {
  suspend: "stageSuspend",
  erase: "stageErase",
  certify: "stageCertify",
};
const TERMS: Readonly<Record<string, Word>> = {
  never_used: "termNever",
  used: "termUsed",
  paid: "termPaid",
};

type Asks = (question: Question) => void;

export function ErasurePage({ api }: { readonly api: Api }) {
  const { say } = useSpeech();
  const due = useLoaded(() => api.call("listErasures", { query: { limit: SHOWN } }), "erasures");
  const holds = useLoaded(() => api.call("listHolds"), "holds");
  const [question, setQuestion] = useState<Question>();
  const [certificate, setCertificate] = useState<Certificate>();
  const deed = useDeed(() => {
    due.again();
    holds.again();
  });
  const suspend = (person: string): void =>
    setQuestion({
      title: say("suspendQuestion"),
      text: say("suspendWarning", { person }),
      yes: say("stageSuspend"),
      act: () => deed.act(() => api.call("suspendPerson", { path: { person } })),
    });
  const certify = (person: string): void =>
    deed.act(async () => {
      setCertificate(await api.call("certifyErasure", { path: { person } }));
    });
  const failed = deed.failed ?? due.failed ?? holds.failed;
  return (
    <section aria-labelledby="erasure-title">
      <h2 id="erasure-title">{say("navErasure")}</h2>
      <p class="hint">{say("erasureHint")}</p>
      <PersonForm suspend={suspend} certify={certify} />
      <Failed words={failed === "" ? say("failed") : failed} />
      {certificate !== undefined && <Certified certificate={certificate} />}
      <Due
        api={api}
        items={due.value?.items ?? []}
        deed={deed}
        ask={setQuestion}
        certify={certify}
      />
      {due.value?.items.length === 0 && <p class="hint">{say("nothingDue")}</p>}
      <Holds api={api} items={holds.value?.items ?? []} deed={deed} />
      <Confirm question={question} done={() => setQuestion(undefined)} />
    </section>
  );
}

function PersonForm(props: {
  readonly suspend: (person: string) => void;
  readonly certify: (person: string) => void;
}) {
  const { say } = useSpeech();
  const [person, setPerson] = useState("");
  return (
    <form
      class="card form"
      onSubmit={(event) => {
        event.preventDefault();
        props.suspend(person);
      }}
    >
      <div class="row">
        <label class="wide">
          {say("personId")}
          <input
            required
            pattern={UUID}
            autocomplete="off"
            value={person}
            onInput={(event) => setPerson(event.currentTarget.value.trim())}
          />
        </label>
        <button type="submit" class="primary">
          {say("stageSuspend")}
        </button>
        <button
          type="button"
          onClick={(event) => {
            if (event.currentTarget.form?.reportValidity() === true) props.certify(person);
          }}
        >
          {say("certificate")}
        </button>
      </div>
    </form>
  );
}

function Due(props: {
  readonly api: Api;
  readonly items: readonly DueErasure[];
  readonly deed: Deed;
  readonly ask: Asks;
  readonly certify: (person: string) => void;
}) {
  const { api, items, deed, ask, certify } = props;
  const { say, dayAndTime } = useSpeech();
  const erase = ({ person, due }: DueErasure): void => {
    const early = Date.parse(due) > Date.now();
    ask({
      title: say("eraseQuestion"),
      text: say(early ? "eraseEarly" : "eraseWarning", { due: dayAndTime(due), person }),
      yes: say("stageErase"),
      why: true,
      act: (reason) =>
        deed.act(() => api.call("erasePerson", { path: { person }, body: { reason, early } })),
    });
  };
  return (
    <Table heading="erasure-title" columns={["person", "nextStage", "because", "due"]} deeds>
      {items.map((one) => (
        <tr key={one.person} data-person={one.person}>
          <th scope="row" class="id">
            {one.person}
          </th>
          <td>
            {say(STAGES[one.stage])}
            {one.held && <strong> · {say("held")}</strong>}
          </td>
          <td>{say(TERMS[one.term] ?? "unknown")}</td>
          <td>{dayAndTime(one.due)}</td>
          <td>
            {one.stage === "erase" && !one.held && (
              <button type="button" onClick={() => erase(one)}>
                {say("stageErase")}
              </button>
            )}
            {one.stage === "certify" && (
              <button type="button" onClick={() => certify(one.person)}>
                {say("stageCertify")}
              </button>
            )}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Holds(props: { readonly api: Api; readonly items: readonly Hold[]; readonly deed: Deed }) {
  const { api, items, deed } = props;
  const { say, dayAndTime } = useSpeech();
  const place = (form: HTMLFormElement): void => {
    const data = new FormData(form);
    const readers = String(data.get("readers"))
      .split(",")
      .map((reader) => reader.trim());
    const body = { person: String(data.get("person")).trim(), reason: String(data.get("reason")) };
    deed.act(async () => {
      const named = readers.filter((reader) => reader !== "");
      await api.call("placeHold", { body: { ...body, readers: named } });
      form.reset();
    });
  };
  return (
    <section class="card" aria-labelledby="holds-title">
      <h3 id="holds-title">{say("holds")}</h3>
      <form
        class="row form"
        onSubmit={(event) => {
          event.preventDefault();
          place(event.currentTarget);
        }}
      >
        <label>
          {say("personId")}
          <input name="person" required pattern={UUID} autocomplete="off" />
        </label>
        <label class="wide">
          {say("proceedings")}
          <input name="reason" required maxLength={200} autocomplete="off" />
        </label>
        <label>
          {say("readers")}
          <input name="readers" required maxLength={400} autocomplete="off" />
        </label>
        <button type="submit" class="primary">
          {say("placeHold")}
        </button>
      </form>
      <ul class="plain">
        {items.map(({ hold, person, vehicle, from, to, reason, readers, placedAt, releasedAt }) => (
          <li key={hold} data-hold={hold}>
            <span>
              {reason} <span class="id">{person ?? vehicle}</span>
              {from !== undefined && to !== undefined && ` ${dayAndTime(from)} – ${dayAndTime(to)}`}
            </span>
            <span class="sub">
              {dayAndTime(placedAt)}, {readers.join(", ")}
              {releasedAt !== undefined && `, ${say("released")}`}
            </span>
            {releasedAt === undefined && (
              <button
                type="button"
                onClick={() => deed.act(() => api.call("releaseHold", { path: { hold } }))}
              >
                {say("release")}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Certified({ certificate }: { readonly certificate: Certificate }) {
  const { say } = useSpeech();
  return (
    <section class="card" aria-labelledby="certificate-title">
      <h3 id="certificate-title">{say("certificate")}</h3>
      <p class="id">{certificate.statement}</p>
      <p class="id">Ed25519 {certificate.publicKey}</p>
      <p class="id">{certificate.signature}</p>
    </section>
  );
}
