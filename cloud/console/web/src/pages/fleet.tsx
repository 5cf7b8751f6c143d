/** All cars: a map, a list with search and filters. The list shows what fits; 5,000 rows are never in the page at once. */
import { useMemo, useRef, useState } from "preact/hooks";
import { hasTrouble, isMoving, markerOf, matches } from "../finding.ts";
import type { FleetState } from "../fleet.ts";
import { CarMap } from "../parts/map.tsx";
import type { FleetCar } from "../types.ts";
import type { Word } from "../words/en.ts";
import { type Speech, useSpeech } from "../words/words.ts";

const ROW_PX = 56;
const SPARE_ROWS = 6;
const FILTERS: readonly { readonly word: Word; readonly fits: (car: FleetCar) => boolean }[] = [
  { word: "filterAll", fits: () => true },
  { word: "filterOnline", fits: ({ online }) => online },
  { word: "filterOffline", fits: ({ online }) => !online },
  { word: "filterMoving", fits: isMoving },
  { word: "filterTrouble", fits: hasTrouble },
];

function carWords(car: FleetCar, { say, measured }: Speech): string {
  const words = [car.revoked ? say("revoked") : say(car.online ? "connected" : "notConnected")];
  if (car.locked !== undefined) words.push(say(car.locked ? "locked" : "unlocked"));
  if (isMoving(car)) words.push(say("moving", { speed: measured(car.speedKmh, "km/h") }));
  if (car.alarm !== undefined) words.push(car.alarm);
  if (car.fault !== undefined) words.push(car.fault);
  return words.join(", ");
}

type Props = {
  readonly state: FleetState;
  readonly dark: boolean;
  readonly choose: (id: string) => void;
};

export function FleetPage({ state, dark, choose }: Props) {
  const { say } = useSpeech();
  const [question, setQuestion] = useState("");
  const [filter, setFilter] = useState(0);
  const all = useMemo(() => [...state.cars.values()], [state.cars]);
  const shown = useMemo(() => {
    const fits = FILTERS[filter]?.fits ?? (() => true);
    return all.filter((car) => fits(car) && matches(car, question));
  }, [all, filter, question]);
  const markers = useMemo(() => shown.flatMap((car) => markerOf(car) ?? []), [shown]);
  return (
    <div class="fleet">
      <div class="finder">
        <label for="search">{say("search")}</label>
        <input
          id="search"
          type="search"
          placeholder={say("searchHint")}
          value={question}
          onInput={(event) => setQuestion(event.currentTarget.value)}
        />
        <fieldset class="filters">
          {FILTERS.map(({ word }, i) => (
            <button
              key={word}
              type="button"
              aria-pressed={i === filter}
              onClick={() => setFilter(i)}
            >
              {say(word)}
            </button>
          ))}
        </fieldset>
        <p class="hint" aria-live="polite">
          {state.loaded
            ? say("carsShown", { shown: shown.length, all: all.length })
            : say("loading")}
        </p>
        <CarList cars={shown} none={say(all.length === 0 ? "noCars" : "noMatch")} choose={choose} />
      </div>
      <CarMap
        markers={markers}
        ready={state.loaded}
        label={say("map")}
        dark={dark}
        onChoose={choose}
      />
    </div>
  );
}

type ListProps = {
  readonly cars: readonly FleetCar[];
  readonly none: string;
  readonly choose: (id: string) => void;
};

function CarList({ cars, none, choose }: ListProps) {
  const speech = useSpeech();
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const height = box.current?.clientHeight ?? 600;
  const first = Math.max(0, Math.floor(top / ROW_PX) - SPARE_ROWS);
  const last = Math.min(cars.length, Math.ceil((top + height) / ROW_PX) + SPARE_ROWS);
  if (cars.length === 0) return <p class="hint">{none}</p>;
  return (
    <div ref={box} class="cars" tabIndex={-1} onScroll={(e) => setTop(e.currentTarget.scrollTop)}>
      <ul style={{ height: `${cars.length * ROW_PX}px` }}>
        {cars.slice(first, last).map((car, i) => (
          <li
            key={car.vehicle}
            style={{ top: `${(first + i) * ROW_PX}px` }}
            aria-setsize={cars.length}
            aria-posinset={first + i + 1}
          >
            <button type="button" data-vehicle={car.vehicle} onClick={() => choose(car.vehicle)}>
              <span class={car.online ? "dot on" : "dot off"} />
              <span class="name">{car.vehicle}</span>
              <span class={hasTrouble(car) ? "sub bad" : "sub"}>{carWords(car, speech)}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
