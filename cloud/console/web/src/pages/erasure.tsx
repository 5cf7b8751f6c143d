/** The end of what is kept of people (P-81, P-82): who is due for which stage, holds, and the signed certificate. */
import { useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { Confirm, type Question } from "../parts/confirm.tsx";
import { Failed } from "../parts/failed.tsx";
import { Holds, UUID } from "../parts/holds.tsx";
import { Table } from "../parts/table.tsx";
import { type Deed, useDeed } from "../parts/use-deed.ts";
import { useLoaded } from "../parts/use-loaded.ts";
import type { Certificate, DueErasure } from "../types.ts";
import type { Word } from "../words/en.ts";
import { useSpeech } from "../words/words.ts";

const SHOWN = 200;
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
      <Holds api={api} items={holds.value?.items ?? []} deed={deed} ask={setQuestion} />
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
