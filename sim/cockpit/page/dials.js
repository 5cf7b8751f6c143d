/** Round instruments. */
import { s, say } from "./dom.js";

const FROM = -210;
const SWEEP = 240;

function at(angle, radius) {
  const radians = (angle * Math.PI) / 180;
  return [Math.cos(radians) * radius, Math.sin(radians) * radius];
}

function arc(radius, from, to) {
  const [x1, y1] = at(from, radius);
  const [x2, y2] = at(to, radius);
  return `M${x1} ${y1} A${radius} ${radius} 0 ${to - from > 180 ? 1 : 0} 1 ${x2} ${y2}`;
}

/** A dial from 0 to `max` with a number at each `step`; `red` is where the warning band begins. */
export function makeDial({ max, step, red, unit, label }) {
  const angleOf = (value) => FROM + (Math.min(Math.max(value, 0), max) / max) * SWEEP;
  const value = s("path", { class: "dial-value", d: "" });
  const big = s("text", { class: "dial-big", y: 10 }, "0");
  const needle = s("path", { class: "needle", d: "M66 -3.2 L91 0 L66 3.2 Z" });
  const marks = [];
  for (let number = 0; number <= max; number += step / 2) {
    const angle = angleOf(number);
    const isNumbered = number % step === 0;
    const [x1, y1] = at(angle, isNumbered ? 74 : 78);
    const [x2, y2] = at(angle, 84);
    marks.push(s("line", { class: "tick", x1, y1, x2, y2 }));
    const [x, y] = at(angle, 57);
    if (isNumbered) marks.push(s("text", { class: "dial-number", x, y: y + 3.5 }, String(number)));
  }
  const svg = s(
    "svg",
    { viewBox: "-100 -100 200 170", class: "dial", role: "img" },
    s("path", { class: "dial-track", d: arc(90, FROM, FROM + SWEEP) }),
    ...(red === undefined
      ? []
      : [s("path", { class: "dial-red", d: arc(90, angleOf(red), FROM + SWEEP) })]),
    value,
    ...marks,
    needle,
    s("circle", { class: "hub", r: 31 }),
    big,
    s("text", { class: "dial-unit", y: 24 }, unit),
  );
  return {
    svg,
    show: (number, text) => {
      const angle = angleOf(number);
      value.setAttribute("d", angle - FROM < 0.5 ? "" : arc(90, FROM, angle));
      needle.setAttribute("transform", `rotate(${angle})`);
      say(big, text);
      svg.setAttribute("aria-label", `${label}: ${text} ${unit}`);
    },
  };
}
