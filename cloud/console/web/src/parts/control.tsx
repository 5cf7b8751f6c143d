/** Asking a car to lock or unlock, and what becomes of it while it happens. */
import { Problem } from "@kerbside/client";
import { useEffect, useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { standing } from "../standing.ts";
import type { Booking, Command } from "../types.ts";
import { usable } from "../usable.ts";
import { useSpeech } from "../words/words.ts";
import { CommandCard } from "./command-card.tsx";
import { Confirm, type Question } from "./confirm.tsx";

const BOOKINGS_MAX = 50;
const STAFF = "";

type Props = {
  readonly api: Api;
  readonly vehicle: string;
  readonly online: boolean;
  /** Rises when bookings may have changed. */
  readonly turn: number;
};

export function Control({ api, vehicle, online, turn }: Props) {
  const { say, dayAndTime } = useSpeech();
  const [bookings, setBookings] = useState<readonly Booking[]>([]);
  const [chosen, setChosen] = useState<string>();
  const [question, setQuestion] = useState<Question>();
  const [busy, setBusy] = useState(false);
  const [now, setNow] = useState<Command>();
  const [failed, setFailed] = useState<string>();
  const staff = api.may("commands:operate");
  useEffect(() => {
    api
      .call("listBookings", { query: { vehicle, limit: BOOKINGS_MAX } })
      .then(({ items }) => setBookings(usable(items, Date.now())))
      .catch(() => setBookings([]));
  }, [api, vehicle, turn]);
  const target = chosen ?? bookings[0]?.booking ?? (staff ? STAFF : undefined);
  const ended = bookings.find(({ booking }) => booking === target)?.state === "ended";
  const ask = async (action: "unlock" | "lock"): Promise<void> => {
    setBusy(true);
    setNow(undefined);
    setFailed(undefined);
    try {
      const body =
        target === undefined || target === STAFF ? { action } : { action, booking: target };
      for await (const command of api.command(vehicle, body)) setNow(command);
    } catch (error) {
      if (error instanceof Problem && error.command !== undefined) {
        setNow(await api.call("getCommand", { path: { command: error.command } }));
        // The record has the code; why it was refused before it was sent, this answer alone says.
        if (error.message !== error.title) setFailed(error.message);
      } else setFailed(error instanceof Problem ? error.message : say("connectionBroke"));
    } finally {
      setBusy(false);
    }
  };
  const confirm = (action: "unlock" | "lock"): void => {
    const unlock = action === "unlock";
    setQuestion({
      title: say(unlock ? "unlockQuestion" : "lockQuestion", { car: vehicle }),
      text: say(unlock ? "unlockWarning" : "lockWarning"),
      yes: say(unlock ? "actionUnlock" : "actionLock"),
      act: () => void ask(action),
    });
  };
  return (
    <section class="card control" aria-labelledby="control-title">
      <h3 id="control-title">{say("control")}</h3>
      <label for="booking">{say("forBooking")}</label>
      <select
        id="booking"
        value={target ?? ""}
        disabled={target === undefined || busy}
        onChange={(event) => setChosen(event.currentTarget.value)}
      >
        {bookings.map(({ booking, state, rental, to }) => (
          <option key={booking} value={booking}>
            {standing({ state, rental })
              .map((word) => say(word))
              .join(", ")}
            , – {dayAndTime(to)}: {booking}
          </option>
        ))}
        {staff && <option value={STAFF}>{say("asStaff")}</option>}
      </select>
      <div class="row">
        {(["unlock", "lock"] as const).map((action) => (
          <button
            key={action}
            type="button"
            class="primary"
            data-action={action}
            aria-describedby="control-note"
            disabled={target === undefined || busy || (ended && action === "unlock")}
            onClick={() => confirm(action)}
          >
            {say(action === "unlock" ? "actionUnlock" : "actionLock")}
          </button>
        ))}
      </div>
      <p class="hint" id="control-note">
        {target === undefined && `${say("noBooking")} `}
        {ended && `${say("endedNote")} `}
        {!online && say("offlineNote")}
      </p>
      <div aria-live="polite">
        {busy && now === undefined && <p class="hint">{say("asking")}</p>}
        {now !== undefined && <CommandCard command={now} />}
      </div>
      {failed !== undefined && (
        <p class="error" role="alert">
          {failed}
        </p>
      )}
      <Confirm question={question} done={() => setQuestion(undefined)} />
    </section>
  );
}
