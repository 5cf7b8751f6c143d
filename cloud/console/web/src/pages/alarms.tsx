/** Cars that need somebody: alarms first, then faults that are not over and batteries that run down. */

import { inTrouble } from "../finding.ts";
import type { FleetState } from "../fleet.ts";
import type { FleetCar } from "../types.ts";
import type { Word } from "../words/en.ts";
import { type Speech, useSpeech } from "../words/words.ts";

const ALARMS: Readonly<Record<string, Word>> = {
  tow: "alarmTow",
  breakIn: "alarmBreakIn",
  impact: "alarmImpact",
};

function troubleWords(car: FleetCar, { say, measured, dayAndTime }: Speech): readonly string[] {
  const { alarm, alarmAt, fault, batteryLowV } = car;
  const word = alarm === undefined ? undefined : ALARMS[alarm];
  return [
    ...(alarm === undefined ? [] : [`${say("alarm")}: ${word === undefined ? alarm : say(word)}`]),
    ...(alarmAt === undefined ? [] : [dayAndTime(alarmAt)]),
    ...(fault === undefined ? [] : [`${say("faults")}: ${fault}`]),
    ...(batteryLowV === undefined ? [] : [`${say("battery12")}: ${measured(batteryLowV, "V", 1)}`]),
  ];
}

export function AlarmsPage({ state }: { readonly state: FleetState }) {
  const speech = useSpeech();
  const cars = inTrouble(state.cars.values());
  return (
    <section aria-labelledby="alarms-title">
      <h2 id="alarms-title">{speech.say("navAlarms")}</h2>
      {cars.length === 0 && <p class="hint">{speech.say(state.loaded ? "noAlarms" : "loading")}</p>}
      <ul class="troubles" aria-live="polite">
        {cars.map((car) => (
          <li key={car.vehicle} class={car.alarm === undefined ? "card" : "card alarm"}>
            <a href={`#/car/${car.vehicle}`}>{car.vehicle}</a>
            <span>{troubleWords(car, speech).join(" · ")}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
