/**
 * Help with four eyes (P-61): the operator's contact opens a ticket, a support person asks to see one car for it, a
 * manager agrees, and only then, for as long as was agreed, is the car's data shown; each look is recorded.
 */
import { useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { isEvent } from "../fold.ts";
import { Failed } from "../parts/failed.tsx";
import { Table } from "../parts/table.tsx";
import { useDeed } from "../parts/use-deed.ts";
import { type Loaded, useLoaded } from "../parts/use-loaded.ts";
import type { Access, Page, Ticket } from "../types.ts";
import type { Word } from "../words/en.ts";
import { eventWords } from "../words/events.ts";
import { useSpeech } from "../words/words.ts";

const SHOWN = 100;
const MINUTES = [15, 60, 240, 1440] as const;
const SUBJECT = "vehicle:";

export function SupportPage({ api }: { readonly api: Api }) {
  const { say } = useSpeech();
  const tickets = useLoaded(() => api.call("listTickets"), "tickets");
  const sees = api.may("support:request") || api.may("support:approve");
  return (
    <section aria-labelledby="support-title">
      <h2 id="support-title">{say("navSupport")}</h2>
      <p class="hint">{say("supportHint")}</p>
      <Tickets api={api} tickets={tickets} />
      {sees && <Requests api={api} tickets={tickets.value?.items ?? []} />}
    </section>
  );
}

function Tickets({ api, tickets }: { readonly api: Api; readonly tickets: Loaded<Page<Ticket>> }) {
  const { say, dayAndTime } = useSpeech();
  const { failed, act } = useDeed(tickets.again);
  const may = api.may("support:ticket");
  const open = (form: HTMLFormElement): void => {
    const words = String(new FormData(form).get("words")).trim();
    form.reset();
    act(() => api.call("openTicket", { body: { words } }));
  };
  return (
    <section class="card" aria-labelledby="tickets-title">
      <h3 id="tickets-title">{say("tickets")}</h3>
      {may && (
        <form
          class="row form"
          onSubmit={(event) => {
            event.preventDefault();
            open(event.currentTarget);
          }}
        >
          <label class="wide">
            {say("ticketWords")}
            <input name="words" required maxLength={200} autocomplete="off" />
          </label>
          <button type="submit" class="primary">
            {say("openTicket")}
          </button>
        </form>
      )}
      <Failed words={failed ?? (tickets.failed === "" ? say("failed") : tickets.failed)} />
      {tickets.value?.items.length === 0 && <p class="hint">{say("nothingYet")}</p>}
      <ul class="plain">
        {tickets.value?.items.map(({ ticket, words, openedAt, closedAt }) => (
          <li key={ticket} data-ticket={ticket}>
            <span>{words}</span>
            <span class="sub">
              {dayAndTime(openedAt)}
              {closedAt !== undefined && `, ${say("closed")}`}
            </span>
            {may && closedAt === undefined && (
              <button
                type="button"
                onClick={() => act(() => api.call("closeTicket", { path: { ticket } }))}
              >
                {say("close")}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

type Asking = { readonly api: Api; readonly tickets: readonly Ticket[] };

function Requests({ api, tickets }: Asking) {
  const { say, dayAndTime } = useSpeech();
  const [looked, setLooked] = useState<string>();
  const page = useLoaded(() => api.call("listAccess", { query: { limit: SHOWN } }), "requests");
  const { failed, act } = useDeed(page.again);
  const decide = (request: string, what: "approve" | "refuse" | "end"): void =>
    act(() => api.call(`${what}Access`, { path: { request } }));
  const requests = page.value?.items.filter(({ kind }) => kind === "support") ?? [];
  return (
    <section class="card" aria-labelledby="requests-title">
      <h3 id="requests-title">{say("requests")}</h3>
      {api.may("support:request") && <Ask api={api} tickets={tickets} asked={page.again} />}
      <Failed words={failed ?? (page.failed === "" ? say("failed") : page.failed)} />
      {page.value !== undefined && requests.length === 0 && <p class="hint">{say("nothingYet")}</p>}
      <Table heading="requests-title" columns={["car", "reason", "who", "when", "status"]} deeds>
        {requests.map((one) => (
          <tr key={one.request} data-request={one.request}>
            <th scope="row">{one.subject.replace(SUBJECT, "")}</th>
            <td>{one.reason}</td>
            <td>{one.askedBy === api.session.subject ? say("you") : one.askedBy}</td>
            <td>{dayAndTime(one.askedAt)}</td>
            <td>
              {say(stateOf(one), { until: one.until === undefined ? "" : dayAndTime(one.until) })}
            </td>
            <td>
              <Deeds one={one} api={api} decide={decide} look={() => setLooked(one.request)} />
            </td>
          </tr>
        ))}
      </Table>
      {looked !== undefined && <Seen key={looked} api={api} request={looked} />}
    </section>
  );
}

const isOver = ({ until }: Access): boolean =>
  until !== undefined && Date.parse(until) <= Date.now();

function stateOf(one: Access): Word {
  if (one.state === "asked") return "accessAsked";
  if (one.state === "approved") return isOver(one) ? "accessOver" : "accessApproved";
  return one.state === "refused" ? "accessRefused" : "accessEnded";
}

function Deeds(props: {
  readonly one: Access;
  readonly api: Api;
  readonly decide: (request: string, what: "approve" | "refuse" | "end") => void;
  readonly look: () => void;
}) {
  const { one, api, decide, look } = props;
  const { say } = useSpeech();
  const own = one.askedBy === api.session.subject;
  const decides = api.may("support:approve") && one.state === "asked" && !own;
  const alive = one.state === "approved" && !isOver(one);
  const ends = alive && (api.may("support:approve") || own);
  return (
    <span class="row">
      {decides && (
        <>
          <button type="button" class="primary" onClick={() => decide(one.request, "approve")}>
            {say("approve")}
          </button>
          <button type="button" onClick={() => decide(one.request, "refuse")}>
            {say("refuse")}
          </button>
        </>
      )}
      {alive && own && api.may("support:query") && (
        <button type="button" class="primary" onClick={look}>
          {say("look")}
        </button>
      )}
      {ends && (
        <button type="button" onClick={() => decide(one.request, "end")}>
          {say("end")}
        </button>
      )}
    </span>
  );
}

function Ask({ api, tickets, asked }: Asking & { readonly asked: () => void }) {
  const { say } = useSpeech();
  const { failed, act } = useDeed(asked);
  const open = tickets.filter(({ closedAt }) => closedAt === undefined);
  const submit = (form: HTMLFormElement): void => {
    const data = new FormData(form);
    const text = (name: string): string => String(data.get(name)).trim();
    const body = {
      ...{ ticket: text("ticket"), vehicle: text("vehicle"), reason: text("reason") },
      minutes: Number(data.get("minutes")),
    };
    act(async () => {
      await api.call("requestAccess", { body });
      form.reset();
    });
  };
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        submit(event.currentTarget);
      }}
    >
      <div class="row">
        <label>
          {say("ticket")}
          <select name="ticket" required>
            {open.map(({ ticket, words }) => (
              <option key={ticket} value={ticket}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <label>
          {say("car")}
          <input name="vehicle" required pattern="[a-z0-9][a-z0-9\-]{0,39}" autocomplete="off" />
        </label>
        <label class="wide">
          {say("reason")}
          <input name="reason" required maxLength={200} autocomplete="off" />
        </label>
        <label>
          {say("minutes")}
          <select name="minutes">
            {MINUTES.map((minutes) => (
              <option key={minutes} value={minutes}>
                {minutes}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" class="primary">
          {say("askAccess")}
        </button>
      </div>
      <Failed words={failed} />
    </form>
  );
}

/** What the car reported, while access lasts. */
function Seen({ api, request }: { readonly api: Api; readonly request: string }) {
  const speech = useSpeech();
  const { say, clock } = speech;
  const page = useLoaded(
    () => api.call("queryAccess", { path: { request }, query: { limit: SHOWN } }),
    request,
  );
  const events = (page.value?.items ?? []).filter(isEvent);
  return (
    <section aria-labelledby="seen-title">
      <h4 id="seen-title">{say("happened")}</h4>
      <Failed words={page.failed === "" ? say("failed") : page.failed} />
      <ol class="events">
        {events.map((event) => (
          <li key={`${event.log} ${event.lane} ${event.seq}`} class={event.lane}>
            <time dateTime={event.at}>{clock(event.at)}</time>
            <span>{eventWords(event, speech)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
