/** Two pedals, pressed by keys (slowly down, at once up) or by a pointer (as deep as it points). */
import { h, say } from "./dom.js";

const KEYS = { ArrowUp: "accelerator", w: "accelerator", ArrowDown: "brake", s: "brake" };
const PEDALS = [
  ["brake", "Brake", "↓ or S"],
  ["accelerator", "Accelerator", "↑ or W"],
];
/** Pedals by keys go down in this time, ms. */
const PRESS_MS = 700;
/** The simulator lets go of pedals that nobody confirms; this is well within its patience. */
const CONFIRM_MS = 250;
const SEND_MS_MIN = 50;
const DEPTH_MIN = 0.05;
const EDGE_PX = 12;

function isTyping(target) {
  return target instanceof Element && target.closest("input, select, textarea, dialog") !== null;
}

/** `held` is told what holds the pedal down: `depth` (0 to 1), or `since` when and `from` which depth a key has. */
function makePedal(held, name, words, keys) {
  const fill = h("span", { class: "fill" });
  const percent = h("b", {}, "0 %");
  const button = h(
    "button",
    { type: "button", class: `pedal ${name}` },
    fill,
    h("span", { class: "words" }, words),
    percent,
    h("kbd", {}, keys),
  );
  const follow = (event) => {
    const { top, height } = button.getBoundingClientRect();
    const depth = 1 - (event.clientY - top - EDGE_PX) / (height - 2 * EDGE_PX);
    held.set(name, { depth: Math.min(1, Math.max(DEPTH_MIN, depth)) });
  };
  button.addEventListener("pointerdown", (event) => {
    button.setPointerCapture(event.pointerId);
    follow(event);
  });
  button.addEventListener("pointermove", (event) => {
    if (held.has(name) && button.hasPointerCapture(event.pointerId)) follow(event);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur"])
    button.addEventListener(end, () => held.delete(name));
  return { button, fill, percent };
}

/** Keys anywhere on the page, and Space or Enter on a pedal. */
function listenToKeys(held, down, buttons) {
  const nameOf = ({ key, target }) => {
    const focused = buttons.find(([, button]) => button === target)?.[0];
    return (key === " " || key === "Enter") && focused !== undefined ? focused : KEYS[key];
  };
  addEventListener("keydown", (event) => {
    const name = nameOf(event);
    if (name === undefined || isTyping(event.target)) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (!event.repeat) held.set(name, { since: performance.now(), from: down[name] });
  });
  addEventListener("keyup", (event) => {
    const name = nameOf(event);
    if (name !== undefined) held.delete(name);
  });
  addEventListener("blur", () => held.clear());
}

/** `send` gets both pedals whenever they move, and now and then for as long as one is down. */
export function makePedals(send) {
  const down = { accelerator: 0, brake: 0 };
  const held = new Map();
  const pedals = PEDALS.map(([name, ...words]) => [name, makePedal(held, name, ...words)]);
  listenToKeys(
    held,
    down,
    pedals.map(([name, { button }]) => [name, button]),
  );
  let sentAt = 0;
  let last = "";
  return {
    elements: pedals.map(([, { button }]) => button),
    /** Once a picture. `driven` are the car's own pedals where a script moves them. */
    move: (nowMs, driven) => {
      for (const [name, { fill, percent }] of pedals) {
        const hold = held.get(name);
        const pressed =
          hold === undefined ? 0 : (hold.depth ?? hold.from + (nowMs - hold.since) / PRESS_MS);
        down[name] = Math.min(1, Math.max(0, pressed));
        const depth = driven?.[name] ?? down[name];
        fill.style.transform = `scaleY(${depth})`;
        say(percent, `${Math.round(depth * 100)} %`);
      }
      const now = `${down.accelerator.toFixed(2)} ${down.brake.toFixed(2)}`;
      const isDown = down.accelerator > 0 || down.brake > 0;
      if (nowMs - sentAt <= (now === last ? CONFIRM_MS : SEND_MS_MIN) || (now === last && !isDown))
        return;
      last = now;
      sentAt = nowMs;
      send({ ...down });
    },
  };
}
