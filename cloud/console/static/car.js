// @ts-check
/** One car: its state, its commands, its latest events, kept current by what the feed announces. */
import { CommandPanel, commandCard } from "./commands.js";
import { h } from "./dom.js";
import { drawing } from "./drawing.js";
import { distinct, fold } from "./fold.js";
import { trackPlot } from "./track.js";
import { clock, DOORS, eventWords, IGNITION, kilometres, measured } from "./words.js";

/** How far back the page looks for events, and how many it takes. */
const LOOK_BACK_MS = 30 * 60_000;
const PAGES_MAX = 5;
const PAGE = 1000;
const EVENTS_SHOWN = 30;
const COMMANDS_SHOWN = 6;
/** Kinds that come too often for a list of what happened. */
const QUIET_KINDS = new Set(["position.sampled", "signals.sampled", "signals.changed"]);

/** @param {import("./fold.js").CarState} state */
function doorWords(state) {
  const known = Object.entries(state.doors);
  const open = known.filter(([, isOpen]) => isOpen).map(([name]) => DOORS[name] ?? name);
  if (open.length > 0) return `${open.join(", ")} open`;
  return known.length === 0 ? "unknown" : "closed, as far as reported";
}

/** @param {import("./fold.js").CarState} state */
function facts(state) {
  const { place } = state;
  const rows = [
    ["Lock", state.locked === undefined ? "unknown" : state.locked ? "locked" : "unlocked"],
    ["Doors", doorWords(state)],
    [
      "Ignition",
      state.ignition === undefined ? "unknown" : (IGNITION[state.ignition] ?? state.ignition),
    ],
    ["Speed", measured(state.speedKmh, "km/h")],
    state.chargePercent === undefined
      ? ["Fuel", measured(state.fuelPercent, "%")]
      : ["Charge", measured(state.chargePercent, "%")],
    ["Odometer", kilometres(state.odometerM)],
    [
      "Position",
      place === undefined
        ? "unknown"
        : `${place.latitude.toFixed(5)}, ${place.longitude.toFixed(5)}`,
    ],
    ["Last event", state.seenAt === undefined ? "none" : clock(state.seenAt)],
  ];
  const faults = Object.keys(state.faults);
  if (faults.length > 0) rows.push(["Faults", faults.join(", ")]);
  return h(
    "dl",
    { class: "facts" },
    rows.map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", { "data-fact": name }, value)),
    ),
  );
}

export class CarView {
  #api;
  #vehicle;
  #title;
  #state = h("section", { class: "card state", "aria-label": "State of the car" });
  #events = h("ol", { class: "events" });
  #commands = h("div", { class: "commands" });
  #panel;
  element;

  /**
   * @param {import("./api.js").Api} api
   * @param {string} vehicle
   */
  constructor(api, vehicle) {
    this.#api = api;
    this.#vehicle = vehicle;
    this.#title = h("p", { class: "sub" });
    this.#panel = new CommandPanel(api, vehicle);
    this.element = h(
      "div",
      { class: "car" },
      h("h2", { tabindex: "-1" }, vehicle),
      this.#title,
      h(
        "div",
        { class: "columns" },
        h(
          "div",
          { class: "stack" },
          this.#state,
          h("section", { class: "card happened" }, h("h3", {}, "What happened"), this.#events),
        ),
        h(
          "div",
          { class: "stack" },
          this.#panel.element,
          h("section", { class: "card asked" }, h("h3", {}, "Commands"), this.#commands),
        ),
      ),
    );
  }

  async start() {
    await Promise.all([
      this.refreshVehicle(),
      this.#panel.refreshBookings(),
      this.refreshEvents(),
      this.refreshCommands(),
    ]);
  }

  async refreshVehicle() {
    const car = await this.#api.ask(`/vehicles/${this.#vehicle}`);
    const version = car.session === undefined ? "" : `, agent ${car.session.agentVersion}`;
    this.#title.replaceChildren(
      h("span", { class: car.online ? "dot on" : "dot off" }),
      car.online ? "connected" : "not connected",
      `, ${car.profile}${version}`,
    );
    this.#panel.online(car.online);
  }

  refreshBookings() {
    return this.#panel.refreshBookings();
  }

  async refreshCommands() {
    const path = `/vehicles/${this.#vehicle}/commands?limit=${COMMANDS_SHOWN}`;
    const { items } = await this.#api.ask(path);
    const none = h("p", { class: "hint" }, "None yet.");
    this.#commands.replaceChildren(...(items.length === 0 ? [none] : items.map(commandCard)));
  }

  /** @param {string} id */
  async commandChanged(id) {
    await Promise.all([this.#panel.changed(id), this.refreshCommands()]);
  }

  async refreshEvents() {
    const from = new Date(Date.now() - LOOK_BACK_MS).toISOString();
    const latest = this.#api.ask(`/vehicles/${this.#vehicle}/latest`);
    const recent = [];
    let after = "";
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const base = `/events?vehicle=${this.#vehicle}&from=${from}&limit=${PAGE}`;
      const path = after === "" ? base : `${base}&after=${encodeURIComponent(after)}`;
      const { items, next } = await this.#api.ask(path);
      recent.push(...items);
      if (next === undefined) break;
      after = next;
    }
    const gaps = recent.filter((item) => item.gap !== undefined);
    const events = distinct(
      [...(await latest).items, ...recent].filter((e) => e.gap === undefined),
    );
    const state = fold(events);
    this.#state.replaceChildren(
      h("h3", {}, "State"),
      h(
        "div",
        { class: "picture" },
        drawing(state),
        trackPlot(state.track, state.headingDeg) ?? "",
      ),
      facts(state),
    );
    this.#drawEvents(events, gaps.length);
  }

  /**
   * @param {import("./fold.js").CarEvent[]} events
   * @param {number} gaps
   */
  #drawEvents(events, gaps) {
    const shown = events
      .filter((event) => !QUIET_KINDS.has(event.kind))
      .toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : b.seq - a.seq))
      .slice(0, EVENTS_SHOWN);
    const rows = shown.map(({ at, kind, data, lane }) =>
      h(
        "li",
        { class: lane },
        h("time", { datetime: at }, clock(at)),
        h("span", {}, eventWords(kind, data)),
      ),
    );
    if (gaps > 0)
      rows.unshift(h("li", { class: "critical" }, h("span", {}, `${gaps} declared gaps`)));
    this.#events.replaceChildren(...(rows.length === 0 ? [h("li", {}, "Nothing yet.")] : rows));
  }
}
