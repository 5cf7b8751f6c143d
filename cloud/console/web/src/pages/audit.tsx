/** Who did what: the audit trail, page by page. */
import { useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { Table } from "../parts/table.tsx";
import { useLoaded } from "../parts/use-loaded.ts";
import type { AuditRow, Page } from "../types.ts";
import { useSpeech } from "../words/words.ts";

const PAGE = 100;

export function AuditPage({ api }: { readonly api: Api }) {
  const { say, dayAndTime } = useSpeech();
  const [starts, setStarts] = useState<readonly number[]>([0]);
  const after = starts.at(-1) ?? 0;
  const path = `/audit?after=${after}&limit=${PAGE}`;
  const page = useLoaded(() => api.get<Page<AuditRow>>(path), path);
  const next = page.value?.next;
  return (
    <section aria-labelledby="audit-title">
      <h2 id="audit-title">{say("navAudit")}</h2>
      <p class="hint">{say("auditHint")}</p>
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
