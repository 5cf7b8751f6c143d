/** Everything in the cockpit that is pressed: seat, belt, ignition, selector, switches, faults. */
import { h, say } from "./dom.js";

const IGNITION = ["LOCK", "OFF", "ACC", "ON", "START"];
const SELECTOR = ["P", "R", "N", "D"];
/** A row of buttons of which one is chosen. */
function choice(label, names, act) {
  const buttons = names.map((name) =>
    h("button", { type: "button", onclick: () => act(name) }, name),
  );
  const element = h(
    "div",
    { class: "choice", role: "group", "aria-label": label },
    h("span", { class: "label", "aria-hidden": "true" }, label),
    h("div", { class: "segments" }, ...buttons),
  );
  return {
    element,
    show: (current) => {
      for (const button of buttons)
        button.setAttribute("aria-pressed", String(button.textContent === current));
    },
  };
}

/** A switch that says in words what it stands at. */
function toggle(label, act, words = ["off", "on"]) {
  const state = h("span", { class: "state" });
  let isOn = false;
  const element = h(
    "button",
    { type: "button", class: "toggle", onclick: () => act(!isOn) },
    h("span", {}, label),
    state,
  );
  return {
    element,
    show: (on) => {
      isOn = on;
      element.setAttribute("aria-pressed", String(on));
      say(state, on ? words[1] : words[0]);
    },
  };
}

export function makeSwitches(act) {
  const ignition = choice("Ignition", IGNITION, (position) => act({ type: "ignition", position }));
  const selector = choice("Selector", SELECTOR, (position) => act({ type: "selector", position }));
  const rows = [
    [
      toggle("Parking brake", (engaged) => act({ type: "parkingBrake", engaged }), [
        "released",
        "set",
      ]),
      (car) => car.parkingBrake,
    ],
    [toggle("Low beam", (on) => act({ type: "lowBeam", on })), (car) => car.lowBeam],
    [
      toggle("Lock button", (locked) => act({ type: "lockButton", locked }), [
        "unlocked",
        "locked",
      ]),
      (car) => car.locked,
    ],
    [
      toggle("Key", (present) => act({ type: "holder", what: "key", present }), [
        "out of its holder",
        "in its holder",
      ]),
      (car) => car.holders.key,
    ],
    [
      toggle("Fuel card", (present) => act({ type: "holder", what: "fuelCard", present }), [
        "out of its holder",
        "in its holder",
      ]),
      (car) => car.holders.fuelCard,
    ],
    [
      toggle("Charging cable", (connected) => act({ type: "plug", connected }), [
        "unplugged",
        "plugged in",
      ]),
      (car) => car.cableConnected,
    ],
    [
      toggle("Windows", (open) => windows(act, open), ["shut", "open"]),
      (car) => Object.values(car.windows).some((part) => part > 0),
    ],
  ];
  const refuel = h(
    "button",
    { type: "button", class: "toggle", onclick: () => act({ type: "refuel" }) },
    h("span", {}, "Refuel"),
    h("span", { class: "state" }, "to the brim"),
  );
  return {
    elements: [
      ignition.element,
      selector.element,
      h("div", { class: "toggles" }, ...rows.map(([one]) => one.element), refuel),
    ],
    show: (car) => {
      ignition.show(car.ignition);
      selector.show(car.selector);
      for (const [one, of] of rows) one.show(of(car));
    },
  };
}

async function windows(act, open) {
  for (const door of ["driver", "passenger", "rearDriver", "rearPassenger"]) {
    if (!(await act({ type: "window", door, part: open ? 1 : 0 }))) return;
  }
}

export function makeSeat(act) {
  const seat = toggle(
    "Driver",
    (inside) => act({ type: "driver", where: inside ? "inside" : "outside" }),
    ["outside", "in the car"],
  );
  const belt = toggle("Belt", (fastened) => act({ type: "belt", fastened }), ["open", "fastened"]);
  return {
    elements: [seat.element, belt.element],
    show: (car) => {
      seat.show(car.driver === "inside");
      belt.show(car.belted);
    },
  };
}

export function makeFaults(list, set, reset) {
  const rows = new Map();
  list.append(
    h(
      "button",
      { type: "button", class: "fault action", onclick: reset },
      h("span", { class: "fault-name" }, "Reset the controller"),
      h(
        "span",
        { class: "fault-words" },
        "Its firmware starts anew, in the middle of whatever it does.",
      ),
    ),
  );
  return (faults) => {
    for (const { name, on, words } of faults) {
      let row = rows.get(name);
      if (row === undefined) {
        row = h(
          "button",
          {
            type: "button",
            class: "fault",
            role: "switch",
            onclick: () => set(name, row.getAttribute("aria-checked") !== "true"),
          },
          h("span", { class: "fault-name" }, inWords(name)),
          h("span", { class: "knob", "aria-hidden": "true" }),
          h("span", { class: "fault-words" }, words),
        );
        rows.set(name, row);
        list.insertBefore(row, list.lastElementChild);
      }
      row.setAttribute("aria-checked", String(on));
    }
  };
}

const ABBREVIATIONS = { gnss: "GNSS", can: "CAN" };

function inWords(name) {
  const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).split(" ");
  const text = words.map((word) => ABBREVIATIONS[word] ?? word).join(" ");
  return text[0].toUpperCase() + text.slice(1);
}
