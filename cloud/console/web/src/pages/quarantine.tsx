/** What was put aside of what cars sent: why, and handing it in again. */
import { useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { Failed } from "../parts/failed.tsx";
import { Table } from "../parts/table.tsx";
import { useDeed } from "../parts/use-deed.ts";
import { useLoaded } from "../parts/use-loaded.ts";
import type { HandedIn } from "../types.ts";
import type { Word } from "../words/en.ts";
import { useSpeech } from "../words/words.ts";

const PAGE = 100;
const OUTCOMES: Readonly<Record<HandedIn["outcome"], Word>> = {
  stored: "handedStored",
  duplicate: "handedDuplicate",
  fork: "handedFork",
  waiting: "handedWaiting",
  dropped: "handedDropped",
  still: "handedStill",
};

export function QuarantinePage({ api }: { readonly api: Api }) {
  const { say, dayAndTime } = useSpeech();
  const [after, setAfter] = useState("0");
  const page = useLoaded(
    () => api.call("listQuarantine", { query: { after, limit: PAGE } }),
    `quarantine ${after}`,
  );
  const [told, setTold] = useState<string>();
  const { failed, act } = useDeed(page.again);
  const handIn = (message: number): void =>
    act(async () => {
      setTold(undefined);
      const path = { message: String(message) };
      const { outcome, reason } = await api.call("redriveQuarantined", { path });
      setTold(`${message}: ${say(OUTCOMES[outcome])}${reason === undefined ? "" : ` (${reason})`}`);
    });
  const may = api.may("quarantine:redrive");
  const next = page.value?.next;
  return (
    <section aria-labelledby="quarantine-title">
      <h2 id="quarantine-title">{say("navQuarantine")}</h2>
      <p class="hint">{say("quarantineHint")}</p>
      <Failed words={failed ?? (page.failed === "" ? say("failed") : page.failed)} />
      <p aria-live="polite">{told}</p>
      {page.value?.items.length === 0 && <p class="hint">{say("quarantineEmpty")}</p>}
      <Table
        heading="quarantine-title"
        columns={["number", "when", "car", "reason", "size"]}
        deeds={may}
      >
        {page.value?.items.map(({ message, at, vehicle, reason, bytes }) => (
          <tr key={message} data-message={message}>
            <td>{message}</td>
            <td>{dayAndTime(at)}</td>
            <td>{vehicle ?? say("unknown")}</td>
            <td>{reason}</td>
            <td>{bytes} B</td>
            {may && (
              <td>
                <button type="button" onClick={() => handIn(message)}>
                  {say("handIn")}
                </button>
              </td>
            )}
          </tr>
        ))}
      </Table>
      {next !== undefined && (
        <button type="button" onClick={() => setAfter(next)}>
          {say("newer")}
        </button>
      )}
    </section>
  );
}
