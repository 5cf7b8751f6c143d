/** Who did what: the audit trail, page by page. */
import { useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { Failed } from "../parts/failed.tsx";
import { Table } from "../parts/table.tsx";
import { useDeed } from "../parts/use-deed.ts";
import { useLoaded } from "../parts/use-loaded.ts";
import type { AuditCheck } from "../types.ts";
import { useSpeech } from "../words/words.ts";

const PAGE = 100;

export function AuditPage({ api }: { readonly api: Api }) {
  const { say, dayAndTime } = useSpeech();
  const [starts, setStarts] = useState<readonly number[]>([0]);
  const after = starts.at(-1) ?? 0;
  const page = useLoaded(
    () => api.call("listAudit", { query: { after: String(after), limit: PAGE } }),
    `audit ${after}`,
  );
  const next = page.value?.next;
  return (
    <section aria-labelledby="audit-title">
      <h2 id="audit-title">{say("navAudit")}</h2>
      <p class="hint">{say("auditHint")}</p>
      <ChainCheck api={api} />
      {page.failed !== undefined && <p class="error">{page.failed || say("failed")}</p>}
      <Table
        heading="audit-title"
        columns={["number", "when", "who", "what", "whom", "outcome", "whence"]}
      >
        {page.value?.items.map(({ seq, at, actor, action, subject, outcome, reason, from }) => (
          <tr key={seq}>
            <td>{seq}</td>
            <td>{dayAndTime(at)}</td>
            <td>{actor}</td>
            <td>{action}</td>
            <td>{subject}</td>
            <td>{reason === undefined ? outcome : `${outcome}: ${reason}`}</td>
            <td>{from}</td>
          </tr>
        ))}
      </Table>
      <p class="row">
        <button
          type="button"
          disabled={starts.length === 1}
          onClick={() => setStarts(starts.slice(0, -1))}
        >
          {say("older")}
        </button>
        <button
          type="button"
          disabled={next === undefined}
          onClick={() => next !== undefined && setStarts([...starts, Number(next)])}
        >
          {say("newer")}
        </button>
      </p>
    </section>
  );
}

const countsOf = ({ entries, unanchored }: AuditCheck) => ({ entries, unanchored });

/** Reads the whole trail on the server, so somebody has to ask for it. */
function ChainCheck({ api }: { readonly api: Api }) {
  const { say } = useSpeech();
  const [check, setCheck] = useState<AuditCheck | "busy">();
  const { failed, act } = useDeed(() => setCheck((now) => (now === "busy" ? undefined : now)));
  const begin = (): void => {
    setCheck("busy");
    act(async () => setCheck(await api.call("checkAudit")));
  };
  return (
    <div class="check" aria-live="polite">
      <button type="button" disabled={check === "busy"} onClick={begin}>
        {say(check === "busy" ? "checking" : "checkChain")}
      </button>
      <Failed words={failed} />
      {typeof check === "object" &&
        (check.ok ? (
          <p class="good">{say("chainHolds", countsOf(check))}</p>
        ) : (
          <div class="error" role="alert">
            {say("chainBroken")}
            <ul>
              {check.problems.map((words) => (
                <li key={words}>{words}</li>
              ))}
            </ul>
          </div>
        ))}
    </div>
  );
}
