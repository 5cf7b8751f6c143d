/** Legal holds (P-82): on a person, or on a car within times. */
import { useState } from "preact/hooks";
import type { Api } from "../api.ts";
import type { Hold } from "../types.ts";
import { useSpeech } from "../words/words.ts";
import type { Question } from "./confirm.tsx";
import type { Deed } from "./use-deed.ts";

export const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
/** As the API takes ids of cars. */
const CAR = "[a-z0-9][a-z0-9\\-]{0,39}";

type Props = {
  readonly api: Api;
  readonly items: readonly Hold[];
  readonly deed: Deed;
  readonly ask: (question: Question) => void;
};

export function Holds({ api, items, deed, ask }: Props) {
  const { say } = useSpeech();
  const [onCar, setOnCar] = useState(false);
  const place = (form: HTMLFormElement): void => {
    const body = bodyOf(new FormData(form), onCar);
    const what = body.person ?? body.vehicle ?? "";
    ask({
      title: say("holdQuestion"),
      text: say("holdWarning", { what, readers: body.readers.join(", ") }),
      yes: say("placeHold"),
      act: () =>
        deed.act(async () => {
          await api.call("placeHold", { body });
          form.reset();
          setOnCar(false);
        }),
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
          {say("heldThing")}
          <select
            value={onCar ? "car" : "person"}
            onChange={(event) => setOnCar(event.currentTarget.value === "car")}
          >
            <option value="person">{say("person")}</option>
            <option value="car">{say("car")}</option>
          </select>
        </label>
        {onCar ? <CarFields /> : <PersonField />}
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
      <HoldList api={api} items={items} deed={deed} ask={ask} />
    </section>
  );
}

function PersonField() {
  const { say } = useSpeech();
  return (
    <label class="wide">
      {say("personId")}
      <input name="person" required pattern={UUID} autocomplete="off" />
    </label>
  );
}

function CarFields() {
  const { say } = useSpeech();
  return (
    <>
      <label>
        {say("car")}
        <input name="vehicle" required pattern={CAR} autocomplete="off" />
      </label>
      {(["from", "to"] as const).map((name) => (
        <label key={name}>
          {say(name)}
          <input name={name} type="datetime-local" required />
        </label>
      ))}
    </>
  );
}

type Body = {
  readonly person?: string;
  readonly vehicle?: string;
  readonly from?: string;
  readonly to?: string;
  readonly reason: string;
  readonly readers: readonly string[];
};

/** Times are asked for as the clock on the wall has them. */
function bodyOf(data: FormData, onCar: boolean): Body {
  const text = (name: string): string => String(data.get(name)).trim();
  const time = (name: string): string => new Date(text(name)).toISOString();
  const readers = text("readers")
    .split(",")
    .map((reader) => reader.trim())
    .filter((reader) => reader !== "");
  const why = { reason: text("reason"), readers };
  if (!onCar) return { person: text("person"), ...why };
  return { vehicle: text("vehicle"), from: time("from"), to: time("to"), ...why };
}

function HoldList({ api, items, deed, ask }: Props) {
  const { say, dayAndTime } = useSpeech();
  const release = (hold: string): void =>
    ask({
      title: say("releaseQuestion"),
      text: say("releaseWarning"),
      yes: say("release"),
      act: () => deed.act(() => api.call("releaseHold", { path: { hold } })),
    });
  return (
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
            <button type="button" onClick={() => release(hold)}>
              {say("release")}
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}
