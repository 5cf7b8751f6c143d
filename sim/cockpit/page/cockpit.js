/** The cockpit page: puts its parts together, feeds them with what the car does, and sends what is pressed. */
import { makeCar } from "./car.js";
import { makeFaults, makeSeat, makeSwitches } from "./controls.js";
import { makeDial } from "./dials.js";
import { byId, h, say } from "./dom.js";
import { makeFrames } from "./frames.js";
import { ask, findKey, forgetKey, keepKey, useKey, watch } from "./link.js";
import { makeMap } from "./map.js";
import { makeCommands, makeModule } from "./module.js";
import { makePedals } from "./pedals.js";
import { makeTap } from "./tap.js";

const TOAST_MS = 3500;
let latest;
let toastTimer;

function toast(text) {
  const element = byId("toast");
  say(element, text);
  element.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => {
    element.classList.remove("shown");
    say(element, "");
  }, TOAST_MS);
}

/** True if the car let it happen; else it is said why not. */
async function post(path, body) {
  const answer = await ask("POST", path, body);
  if (answer.status === 200 && answer.body.timeMs !== undefined) show(answer.body);
  if (answer.status !== 200) toast(sentence(answer.body.detail));
  return answer.status === 200;
}

/** A mistake of the page itself: shown, not swallowed. */
function fail(error) {
  toast(error.message);
  throw error;
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

const act = (action) => post("/api/action", action);
const car = makeCar((leaf, open) => act({ type: "door", leaf, open }));
const speed = makeDial({ max: 160, step: 20, unit: "km/h", label: "Speed" });
const revolutions = makeDial({ max: 7, step: 1, red: 6, unit: "1000/min", label: "Engine" });
const switches = makeSwitches(act);
const seat = makeSeat(act);
const pedals = makePedals((both) => {
  if (latest?.driver === "inside" && latest.script === null) post("/api/pedals", both).catch(fail);
});
const showFaults = makeFaults(
  byId("faults"),
  (fault, on) => post("/api/fault", { fault, on }),
  () => post("/api/reset", { part: "controller" }),
);
const showModule = makeModule(byId("module-figures"), byId("lanes"));
const showCommands = makeCommands(byId("commands"));
makeTap(byId("tap"), (tap) => ask("POST", "/api/tap", tap));
const showFrames = makeFrames(byId("frames"), byId("bus-rate"));
let map;

const energy = ({ drive, fuelPercent, chargePercent }) =>
  drive === "electric" ? chargePercent : fuelPercent;
const FIGURES = [
  ["Gear", ({ gear }) => (gear < 0 ? "R" : gear === 0 ? "–" : String(gear))],
  ["Odometer", ({ odometerM }) => `${(odometerM / 1000).toFixed(1)} km`],
  [
    "Fuel or charge",
    (state) => `${Math.round(energy(state))} %${state.charging ? " ↑" : ""}`,
    (state) => energy(state) / 100,
  ],
  ["Range", ({ rangeKm }) => `${rangeKm} km`],
  ["Coolant", ({ coolantC }) => `${Math.round(coolantC)} °C`, ({ coolantC }) => coolantC / 120],
  ["Battery", ({ batteryV }) => `${batteryV.toFixed(1)} V`, ({ batteryV }) => (batteryV - 8) / 7],
];

function makeFigures() {
  return FIGURES.map(([name, text, part]) => {
    const value = h("dd", {});
    const bar = part === undefined ? undefined : h("span", { class: "bar-fill" });
    byId("figures").append(
      h(
        "div",
        { class: "figure" },
        h("dt", {}, name),
        value,
        ...(bar === undefined ? [] : [h("span", { class: "bar", "aria-hidden": "true" }, bar)]),
      ),
    );
    return (state) => {
      say(value, text(state));
      if (bar !== undefined)
        bar.style.transform = `scaleX(${Math.min(1, Math.max(0, part(state)))})`;
    };
  });
}

const CHIPS = [
  [
    "Module",
    ({ controller }) => [
      controller.link === "ready" ? "connected" : controller.link,
      controller.link === "ready",
    ],
  ],
  [
    "Bus",
    ({ bus }) =>
      bus.plugged ? [`${bus.listeners} listening`, bus.listeners > 0] : ["unplugged", false],
  ],
  ["Doors", ({ locked }) => [locked ? "locked" : "unlocked", locked]],
  ["Start", ({ startInhibited }) => [startInhibited ? "inhibited" : "free", !startInhibited]],
];

function makeChips() {
  return CHIPS.map(([name, of]) => {
    const text = h("b", {});
    const chip = h("li", { class: "chip" }, h("span", {}, name), text);
    byId("chips").append(chip);
    return (state) => {
      const [words, good] = of(state);
      say(text, words);
      chip.classList.toggle("good", good);
    };
  });
}

const OUTCOMES = { done: "good", running: "busy" };

function showLocks({ controller, bolts }) {
  const rows = controller.recent
    .toReversed()
    .slice(0, 5)
    .map(({ id, action, outcome }) =>
      h(
        "li",
        { class: OUTCOMES[outcome] ?? "bad" },
        h("span", { class: "quiet" }, `#${id}`),
        h("span", {}, action.replace("_", " ")),
        h("b", {}, outcome.replace("_", " ")),
      ),
    );
  const moving = Object.values(bolts).includes("unknown");
  const now =
    controller.phase === "pulse"
      ? `${controller.action.replace("_", " ")} …`
      : controller.phase === "starting"
        ? "starting"
        : moving
          ? "a bolt is stuck"
          : "at rest";
  const text = `${now} · ${controller.resetCount} resets`;
  const key = JSON.stringify([controller.recent, text]);
  const list = byId("locks");
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(
    h("p", { class: "quiet" }, text),
    rows.length === 0
      ? h("p", { class: "empty" }, "Nobody has asked for anything yet.")
      : h("ol", { class: "actuations" }, ...rows),
  );
}

function showScript({ script }) {
  say(byId("script"), script === null ? "Drive a booking" : "Stop the script");
  byId("script").classList.toggle("running", script !== null);
  say(
    byId("progress"),
    script === null ? "" : `Script, step ${script.step + 1} of ${script.steps}: ${script.words}`,
  );
}

const showFigures = makeFigures();
const showChips = makeChips();

function show(state) {
  latest = { ...state, atMs: performance.now() };
  car.show(state);
  speed.show(state.speedKmh, String(Math.round(state.speedKmh)));
  revolutions.show(state.rpm / 1000, (state.rpm / 1000).toFixed(1));
  switches.show(state);
  seat.show(state);
  showFaults(state.faults);
  showLocks(state);
  showScript(state);
  showModule(state.module);
  showCommands(state.module);
  say(byId("reader-link"), state.reader.link === "ready" ? "" : state.reader.link);
  for (const part of [...showFigures, ...showChips]) part(state);
  map?.show(state.place);
  say(
    byId("street"),
    `${state.place.street} · ${state.place.limitKmh} km/h${state.gnss.fix ? "" : " · no satellites"}`,
  );
  const factor = byId("speed");
  if (document.activeElement !== factor) factor.value = String(state.speedFactor);
}

let pictureMs = performance.now();
function picture(nowMs) {
  const passedS = Math.min(0.1, (nowMs - pictureMs) / 1000);
  pictureMs = nowMs;
  pedals.move(nowMs, latest?.script == null ? undefined : latest);
  if (latest !== undefined && latest.speedKmh > 0) {
    const way = (latest.speedKmh / 3.6) * passedS * latest.speedFactor;
    car.roll(latest.selector === "R" ? -way : way);
  }
  requestAnimationFrame(picture);
}

async function toggleScript() {
  if (latest?.script != null) {
    await ask("DELETE", "/api/script");
    return;
  }
  toast(
    latest?.bolts.driver === "unlocked"
      ? "The script gets in and drives."
      : "The script waits until the car is unlocked.",
  );
  const answer = await ask("POST", "/api/script", { speed: Number(byId("speed").value) });
  toast(
    answer.status === 200
      ? `The drive is over: ${answer.body.distanceM} m.`
      : sentence(answer.body.detail),
  );
}

async function run() {
  const town = await ask("GET", "/api/town");
  if (town.status === 401) return askForKey("That is not the key of this cockpit.");
  if (town.status !== 200) return askForKey("The simulator does not answer.");
  keepKey();
  map = makeMap(town.body);
  byId("map").replaceChildren(map.svg);
  document.body.classList.add("live");
  await watch({
    state: (state) => {
      document.body.classList.remove("lost");
      // One that was on its way when something was pressed knows less than the answer to that.
      if (latest === undefined || state.timeMs > latest.timeMs) show(state);
    },
    frames: showFrames,
    lost: () => {
      // Whoever answers next may be another car, with another time.
      latest = undefined;
      document.body.classList.add("lost");
    },
    refused: () => askForKey("The key has changed."),
  });
}

function askForKey(error) {
  forgetKey();
  say(byId("key-error"), error);
  const dialog = byId("key-dialog");
  if (!dialog.open) dialog.showModal();
}

byId("car").append(car.svg);
byId("seat").append(...seat.elements);
byId("dials").append(speed.svg, revolutions.svg);
byId("switches").append(...switches.elements);
byId("pedals").append(...pedals.elements);
byId("script").addEventListener("click", toggleScript);
byId("speed").addEventListener("change", (event) =>
  post("/api/speed", { speed: Number(event.target.value) }),
);
byId("key-dialog").addEventListener("cancel", (event) => event.preventDefault());
byId("key-form").addEventListener("submit", () => {
  useKey(byId("key").value);
  run().catch(fail);
});
requestAnimationFrame(picture);
if (findKey()) run().catch(fail);
else askForKey("");
