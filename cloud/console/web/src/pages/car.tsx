/** One car: its state and health, trips, events, commands with each step, and the doors. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Api } from "../api.ts";
import type { Fleet } from "../fleet.ts";
import { type CarState, distinct, fold, isEvent, type Trip } from "../fold.ts";
import { CommandCard } from "../parts/command-card.tsx";
import { Control } from "../parts/control.tsx";
import { Drawing } from "../parts/drawing.tsx";
import { CarMap } from "../parts/map.tsx";
import { SpeedPlot } from "../parts/plot.tsx";
import { useLoaded } from "../parts/use-loaded.ts";
import type { CarEvent, Told } from "../types.ts";
import { doorName, eventWords, ignitionName } from "../words/events.ts";
import { type Speech, useSpeech } from "../words/words.ts";

/** How far back the page looks for events, and how many it takes. */
const LOOK_BACK_MS = 30 * 60_000;
const TRIPS_BACK_MS = 24 * 60 * 60_000;
const PAGES_MAX = 5;
const EVENTS_PAGE = 1000;
const TRIP_EVENTS_MAX = 200;
const EVENTS_SHOWN = 40;
const COMMANDS_SHOWN = 8;
const GATHER_MS = 400;
/** Kinds that come too often for a list of what happened. */
const QUIET_KINDS = new Set(["position.sampled", "signals.sampled", "signals.changed"]);

type Seen = { readonly events: readonly CarEvent[]; readonly gaps: number };

async function loadEvents(api: Api, vehicle: string): Promise<Seen> {
  const from = new Date(Date.now() - LOOK_BACK_MS).toISOString();
  const tripsFrom = new Date(Date.now() - TRIPS_BACK_MS).toISOString();
  const latest = await api.call("getLatest", { path: { vehicle } });
  const found: Told[] = [];
  const recent = { query: { vehicle, from, limit: EVENTS_PAGE } };
  for await (const items of api.pages("listEvents", recent, PAGES_MAX)) found.push(...items);
  const kind = "trip.started,trip.ended";
  const trips = { vehicle, from: tripsFrom, kind, limit: TRIP_EVENTS_MAX };
  found.push(...(await api.call("listEvents", { query: trips })).items);
  const events = distinct([...latest.items, ...found].filter(isEvent));
  return { events, gaps: found.filter(({ gap }) => gap !== undefined).length };
}

/** Rises, at most every so often, when the feed names this car. */
function useTurns(fleet: Fleet, vehicle: string): Readonly<Record<"events" | "other", number>> {
  const [turns, setTurns] = useState({ events: 0, other: 0 });
  useEffect(() => {
    const waiting = new Set<"events" | "other">();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = fleet.watch(({ topic, id }) => {
      if ((topic === "events" || topic === "vehicle") && id !== vehicle) return;
      waiting.add(topic === "events" ? "events" : "other");
      timer ??= setTimeout(() => {
        timer = undefined;
        setTurns((now) => ({
          events: now.events + (waiting.has("events") ? 1 : 0),
          other: now.other + (waiting.has("other") ? 1 : 0),
        }));
        waiting.clear();
      }, GATHER_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [fleet, vehicle]);
  return turns;
}

type Props = { readonly fleet: Fleet; readonly vehicle: string; readonly dark: boolean };

export function CarPage({ fleet, vehicle, dark }: Props) {
  const { api } = fleet;
  const { say } = useSpeech();
  const turns = useTurns(fleet, vehicle);
  const car = useLoaded(
    () => api.call("getVehicle", { path: { vehicle } }),
    `${vehicle} ${turns.other}`,
  );
  const commands = useLoaded(
    () => api.call("listCommands", { path: { vehicle }, query: { limit: COMMANDS_SHOWN } }),
    `${vehicle} ${turns.other}`,
  );
  const seen = useLoaded(() => loadEvents(api, vehicle), `${vehicle} ${turns.events}`);
  const state = useMemo(() => fold(seen.value?.events ?? []), [seen.value]);
  if (car.failed !== undefined && car.value === undefined) {
    return <p class="error">{car.failed || say("failed")}</p>;
  }
  const online = car.value?.online === true;
  return (
    <div class="car">
      <p>
        <a href="#/">← {say("backToFleet")}</a>
      </p>
      <h2 tabIndex={-1}>{vehicle}</h2>
      <p class="sub">
        <span class={online ? "dot on" : "dot off"} />
        {say(online ? "connected" : "notConnected")}
        {car.value !== undefined && `, ${say("model")} ${car.value.profile}`}
        {car.value?.session !== undefined && `, ${say("agent")} ${car.value.session.agentVersion}`}
      </p>
      <div class="columns">
        <div class="stack">
          <StateCard state={state} vehicle={vehicle} dark={dark} />
          <TripsCard trips={state.trips} />
          <EventsCard seen={seen.value} failed={seen.failed} />
        </div>
        <div class="stack">
          {(api.may("commands:write") || api.may("commands:operate")) && (
            <Control api={api} vehicle={vehicle} online={online} turn={turns.other} />
          )}
          <section class="card" aria-labelledby="commands-title">
            <h3 id="commands-title">{say("commands")}</h3>
            {commands.value?.items.length === 0 && <p class="hint">{say("nothingYet")}</p>}
            {commands.value?.items.map((command) => (
              <CommandCard key={command.id} command={command} />
            ))}
          </section>
        </div>
      </div>
    </div>
  );
}

function StateCard(props: {
  readonly state: CarState;
  readonly vehicle: string;
  readonly dark: boolean;
}) {
  const { state, vehicle, dark } = props;
  const speech = useSpeech();
  const { say } = speech;
  const [shown, setShown] = useState(false);
  const { place } = state;
  const markers = useMemo(
    () => (place === undefined ? [] : [{ id: vehicle, ...place, tone: "good" as const }]),
    [place, vehicle],
  );
  return (
    <section class="card state" aria-labelledby="state-title">
      <h3 id="state-title">{say("state")}</h3>
      <div class="picture">
        <Drawing state={state} />
        <dl class="facts">
          {factsOf(state, speech).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd data-fact={name}>{value}</dd>
            </div>
          ))}
        </dl>
      </div>
      {place !== undefined && !shown && (
        <p>
          <button type="button" onClick={() => setShown(true)}>
            {say("showPosition")}
          </button>{" "}
          <span class="hint">{say("positionHidden")}</span>
        </p>
      )}
      {place !== undefined && shown && (
        <>
          <p data-fact="position">
            {say("position")}: {place.latitude.toFixed(5)}, {place.longitude.toFixed(5)}
          </p>
          <CarMap markers={markers} track={state.track} label={say("position")} dark={dark} />
        </>
      )}
      {state.speeds.length > 1 && <SpeedPlot speeds={state.speeds} label={say("speedChart")} />}
    </section>
  );
}

function doorsOf(state: CarState, speech: Speech): string {
  const { say } = speech;
  const known = Object.entries(state.doors);
  const open = known.filter(([, is]) => is).map(([door]) => doorName(door, speech));
  if (open.length > 0) return say("open", { what: open.join(", ") });
  return known.length === 0 ? say("unknown") : say("closedAsReported");
}

function factsOf(state: CarState, speech: Speech): readonly (readonly [string, string])[] {
  const { say, measured, kilometres, clock } = speech;
  const { locked, ignition, chargePercent, batteryLowV, faults } = state;
  const lock = locked === undefined ? "unknown" : locked ? "locked" : "unlocked";
  return [
    [say("lock"), say(lock)],
    [say("doors"), doorsOf(state, speech)],
    [say("ignition"), ignition === undefined ? say("unknown") : ignitionName(ignition, speech)],
    [say("speed"), measured(state.speedKmh, "km/h")],
    chargePercent === undefined
      ? [say("fuel"), measured(state.fuelPercent, "%")]
      : [say("charge"), measured(chargePercent, "%")],
    [say("odometer"), kilometres(state.odometerM)],
    ...(batteryLowV === undefined
      ? []
      : ([[say("battery12"), measured(batteryLowV, "V", 1)]] as const)),
    [say("faults"), faults.size === 0 ? say("none") : [...faults].join(", ")],
    [say("lastEvent"), state.seenAt === undefined ? say("none") : clock(state.seenAt)],
  ];
}

function TripsCard({ trips }: { readonly trips: readonly Trip[] }) {
  const { say, dayAndTime, kilometres } = useSpeech();
  return (
    <section class="card" aria-labelledby="trips-title">
      <h3 id="trips-title">{say("trips")}</h3>
      {trips.length === 0 && <p class="hint">{say("nothingYet")}</p>}
      <ol class="events">
        {trips.toReversed().map(({ startedAt, endedAt, distanceM, durationS }) => (
          <li key={startedAt}>
            <time dateTime={startedAt}>{dayAndTime(startedAt)}</time>
            <span>
              {endedAt === undefined
                ? say("tripUnderWay")
                : say("trip", {
                    distance: kilometres(distanceM),
                    minutes: Math.max(1, Math.round((durationS ?? 0) / 60)),
                  })}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function EventsCard({
  seen,
  failed,
}: {
  readonly seen: Seen | undefined;
  readonly failed: string | undefined;
}) {
  const speech = useSpeech();
  const { say, clock } = speech;
  const shown = (seen?.events ?? [])
    .filter(({ kind }) => !QUIET_KINDS.has(kind))
    .toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : b.seq - a.seq))
    .slice(0, EVENTS_SHOWN);
  return (
    <section class="card" aria-labelledby="happened-title">
      <h3 id="happened-title">{say("happened")}</h3>
      {failed !== undefined && <p class="error">{failed || say("failed")}</p>}
      {seen === undefined && failed === undefined && <p class="hint">{say("loading")}</p>}
      {seen !== undefined && shown.length === 0 && <p class="hint">{say("nothingYet")}</p>}
      <ol class="events">
        {(seen?.gaps ?? 0) > 0 && (
          <li class="critical">{say("gaps", { count: seen?.gaps ?? 0 })}</li>
        )}
        {shown.map((event) => (
          <li key={`${event.log} ${event.lane} ${event.seq}`} class={event.lane}>
            <time dateTime={event.at}>{clock(event.at)}</time>
            <span>{eventWords(event, speech)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
