/** Bookings: seen, made, ended, cancelled. */
import { Problem } from "@kerbside/client";
import { useEffect, useState } from "preact/hooks";
import type { Api } from "../api.ts";
import type { Fleet } from "../fleet.ts";
import { Confirm, type Question } from "../parts/confirm.tsx";
import { Failed } from "../parts/failed.tsx";
import { Table } from "../parts/table.tsx";
import { useDeed } from "../parts/use-deed.ts";
import { useLoaded } from "../parts/use-loaded.ts";
import { standing } from "../standing.ts";
import type { Holder } from "../types.ts";
import { useSpeech } from "../words/words.ts";

const SHOWN = 200;
const HOUR_MS = 3_600_000;
/** The server's clock may be a little behind this one. */
const HEAD_START_MS = 60_000;

export function BookingsPage({ fleet }: { readonly fleet: Fleet }) {
  const { api } = fleet;
  const { say, dayAndTime } = useSpeech();
  const page = useLoaded(() => api.call("listBookings", { query: { limit: SHOWN } }), "bookings");
  const [question, setQuestion] = useState<Question>();
  const [failed, setFailed] = useState<string>();
  useEffect(
    () => fleet.watch(({ topic }) => topic === "booking" && page.again()),
    [fleet, page.again],
  );
  const change = (booking: string, what: "end" | "cancel"): void => {
    const act = async (): Promise<void> => {
      setFailed(undefined);
      await api.call(`${what}Booking`, { path: { booking } }).catch((error: unknown) => {
        setFailed(error instanceof Problem ? error.message : say("failed"));
      });
      page.again();
    };
    setQuestion({
      title: say(what === "end" ? "endQuestion" : "cancelQuestion", { booking }),
      text: say(what === "end" ? "endWarning" : "cancelWarning"),
      yes: say("confirm"),
      act: () => void act(),
    });
  };
  const writes = api.may("bookings:write");
  const words = failed ?? (page.failed === undefined ? undefined : page.failed || say("failed"));
  return (
    <section aria-labelledby="bookings-title">
      <h2 id="bookings-title">{say("navBookings")}</h2>
      {writes && <NewBooking fleet={fleet} made={page.again} />}
      {words !== undefined && (
        <p class="error" role="alert">
          {words}
        </p>
      )}
      {page.value?.items.length === 0 && <p class="hint">{say("noBookings")}</p>}
      <Table
        heading="bookings-title"
        columns={["booking", "car", "holder", "from", "to", "status"]}
        deeds={writes}
      >
        {page.value?.items.map(({ booking, vehicle, from, to, state, rental }) => (
          <tr key={booking} data-booking={booking}>
            <th scope="row">{booking}</th>
            <td>
              <a href={`#/car/${vehicle}`}>{vehicle}</a>
            </td>
            <td>
              <HolderCell api={api} booking={booking} ask={setQuestion} />
            </td>
            <td>{dayAndTime(from)}</td>
            <td>{dayAndTime(to)}</td>
            <td>
              {standing({ state, rental })
                .map((word) => say(word))
                .join(", ")}
            </td>
            {writes && (
              <td>
                {(state === "open" || (state === "reserved" && rental !== undefined)) && (
                  <button type="button" onClick={() => change(booking, "end")}>
                    {say("end")}
                  </button>
                )}
                {state === "reserved" && rental === undefined && (
                  <button type="button" onClick={() => change(booking, "cancel")}>
                    {say("cancel")}
                  </button>
                )}
              </td>
            )}
          </tr>
        ))}
      </Table>
      <Confirm question={question} done={() => setQuestion(undefined)} />
    </section>
  );
}

/** Who it is stays hidden until somebody says why they need to know; both are recorded (P-40, P-52). */
function HolderCell(props: {
  readonly api: Api;
  readonly booking: string;
  readonly ask: (question: Question) => void;
}) {
  const { api, booking, ask } = props;
  const { say } = useSpeech();
  const [holder, setHolder] = useState<Holder>();
  const { failed, act } = useDeed(() => undefined);
  if (holder !== undefined) {
    const { holder: id, name, phone, email } = holder;
    const contact = [name, phone, email].filter((one) => one !== undefined);
    return <span data-holder={id}>{contact.length === 0 ? id : contact.join(", ")}</span>;
  }
  if (!api.may("people:read")) return <span class="sub">{say("hidden")}</span>;
  const reveal = (): void =>
    ask({
      title: say("revealQuestion", { booking }),
      text: say("revealWarning"),
      yes: say("show"),
      why: true,
      act: (reason) =>
        act(async () =>
          setHolder(await api.call("revealHolder", { path: { booking }, body: { reason } })),
        ),
    });
  return (
    <>
      <span class="sub">{say("hidden")}</span>{" "}
      <button
        type="button"
        onClick={reveal}
        aria-label={`${say("show")}: ${say("revealQuestion", { booking })}`}
      >
        {say("show")}
      </button>
      <Failed words={failed} />
    </>
  );
}

function NewBooking({ fleet, made }: { readonly fleet: Fleet; readonly made: () => void }) {
  const { say } = useSpeech();
  const [failed, setFailed] = useState<string>();
  const submit = async (form: HTMLFormElement): Promise<void> => {
    const data = new FormData(form);
    const now = Date.now();
    setFailed(undefined);
    try {
      const body = {
        vehicle: String(data.get("vehicle")).trim(),
        holder: String(data.get("holder")).trim(),
        from: new Date(now - HEAD_START_MS).toISOString(),
        to: new Date(now + Number(data.get("hours")) * HOUR_MS).toISOString(),
      };
      await fleet.api.call("createBooking", { body });
      form.reset();
      made();
    } catch (error) {
      setFailed(error instanceof Problem ? error.message : say("failed"));
    }
  };
  return (
    <form
      class="card form"
      aria-label={say("newBooking")}
      onSubmit={(event) => {
        event.preventDefault();
        void submit(event.currentTarget);
      }}
    >
      <h3>{say("newBooking")}</h3>
      <div class="row">
        <label>
          {say("car")}
          <input name="vehicle" required pattern="[a-z0-9][a-z0-9\-]{0,39}" list="known-cars" />
        </label>
        <datalist id="known-cars">
          {[...fleet.state.cars.keys()].slice(0, SHOWN).map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <label>
          {say("holder")}
          <input name="holder" required maxLength={64} autocomplete="off" />
        </label>
        <label>
          {say("hours")}
          <input name="hours" type="number" min="1" max="720" value="2" required />
        </label>
        <button type="submit" class="primary">
          {say("make")}
        </button>
      </div>
      {failed !== undefined && (
        <p class="error" role="alert">
          {failed}
        </p>
      )}
    </form>
  );
}
