/** What the module holds, sends and has acknowledged, and the operator's last commands with the time of each step. */
import { h, say } from "./dom.js";

const NUMBERS = new Intl.NumberFormat("en");
const size = (bytes) => (bytes < 10_000 ? `${bytes} B` : `${NUMBERS.format(bytes / 1000)} kB`);

function row(label) {
  const value = h("dd", {});
  return { element: h("div", { class: "figure" }, h("dt", {}, label), value), value };
}

/** `show(module)` with what the state says of it. */
export function makeModule(figures, body) {
  const supply = row("Supply");
  const network = row("Network");
  const up = row("Sent");
  const down = row("Received");
  figures.append(...[supply, network, up, down].map(({ element }) => element));
  const lanes = new Map();
  return (module) => {
    const { supply: state, network: net, lanes: held, lanesProblem } = module;
    say(supply.value, supplyWords(state));
    say(network.value, net === null ? "not ours" : net.coverage);
    say(up.value, net === null ? "–" : size(net.upBytes));
    say(down.value, net === null ? "–" : size(net.downBytes));
    if (held === null || held.length === 0) {
      body.dataset.empty = lanesProblem ?? "";
      return;
    }
    for (const lane of held) showLane(lanes, body, lane);
  };
}

function supplyWords(state) {
  if (state === null) return "its own";
  return state.problem ?? (state.running ? "on" : "off");
}

function showLane(lanes, body, { lane, events, segments, bytes, acknowledged, last }) {
  let cells = lanes.get(lane);
  if (cells === undefined) {
    cells = Array.from({ length: 5 }, () => h("td", {}));
    lanes.set(lane, cells);
    body.append(h("tr", {}, h("th", { scope: "row" }, lane), ...cells));
  }
  const texts = [events, segments, size(bytes), last, acknowledged];
  for (const [i, cell] of cells.entries()) say(cell, String(texts[i]));
}

/** `show(module)`; nothing is laid out anew unless something has changed. */
export function makeCommands(list) {
  return ({ commands, commandsProblem }) => {
    const key = JSON.stringify([commands, commandsProblem]);
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    if (commands === null || commands.length === 0) {
      const words =
        commands === null ? "Nobody asks the operator’s API for this car." : "None yet.";
      list.replaceChildren(h("p", { class: "empty" }, commandsProblem ?? words));
      return;
    }
    list.replaceChildren(h("ol", { class: "commands" }, ...commands.map(commandRow)));
  };
}

const GOOD = ["executed"];
const BUSY = ["accepted", "signed", "sent", "received", "armed", "waking"];

function commandRow({ action, state, steps, unmet }) {
  const outcome = GOOD.includes(state) ? "good" : BUSY.includes(state) ? "busy" : "bad";
  const start = Date.parse(steps[0]?.at ?? "");
  const times = steps.map(({ state: name, at }, i) =>
    i === 0 ? `${clock(at)} ${name}` : `+${Date.parse(at) - start} ms ${name}`,
  );
  return h(
    "li",
    { class: outcome },
    h("span", { class: "command-name" }, action.replaceAll("_", " ")),
    h("b", {}, state),
    h("span", { class: "command-steps" }, times.join(" → ")),
    ...unmet.map((words) => h("span", { class: "command-steps" }, words)),
  );
}

function clock(at) {
  return new Date(at).toLocaleTimeString("en-GB");
}
