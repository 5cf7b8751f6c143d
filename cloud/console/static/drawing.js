// @ts-check
/** The car from above: doors, trunk and hood as they are known to be. The words beside it say the same. */
import { svg } from "./dom.js";

/** Hinge, and the angle it swings to when open. */
/** @type {Record<string, { d: string, hinge: [number, number], open: number }>} */
const FLAPS = {
  driver: { d: "M30 62 v34", hinge: [30, 62], open: 48 },
  passenger: { d: "M90 62 v34", hinge: [90, 62], open: -48 },
  rearDriver: { d: "M30 100 v32", hinge: [30, 100], open: 48 },
  rearPassenger: { d: "M90 100 v32", hinge: [90, 100], open: -48 },
};
const LIDS = /** @type {Record<string, [string, string]>} */ ({
  hood: ["M38 38 Q60 30 82 38", "M38 38 Q60 12 82 38"],
  trunk: ["M38 164 Q60 170 82 164", "M38 164 Q60 190 82 164"],
});

/** @param {import("./fold.js").CarState} state */
export function drawing(state) {
  const tone = (/** @type {boolean | undefined} */ open) =>
    open === undefined ? "unseen" : open ? "open" : "shut";
  const flaps = Object.entries(FLAPS).map(([name, { d, hinge, open }]) =>
    svg("path", {
      class: `flap ${tone(state.doors[name])}`,
      d,
      transform: state.doors[name] ? `rotate(${open} ${hinge[0]} ${hinge[1]})` : undefined,
    }),
  );
  const lids = Object.entries(LIDS).map(([name, [shut, open]]) =>
    svg("path", {
      class: `flap ${tone(state.doors[name])}`,
      d: state.doors[name] ? open : shut,
    }),
  );
  const shackle =
    state.locked === false ? "M54 108 v-5 a6 6 0 0 1 11 -3" : "M54 108 v-5 a6 6 0 0 1 12 0 v5";
  return svg(
    "svg",
    { class: "drawing", viewBox: "-6 8 132 186", "aria-hidden": "true" },
    svg("path", {
      class: "body",
      d: "M32 44 Q34 24 60 22 Q86 24 88 44 L90 66 V150 Q89 176 60 178 Q31 176 30 150 V66 Z",
    }),
    svg("path", { class: "glass", d: "M37 66 Q60 56 83 66 L78 82 Q60 76 42 82 Z" }),
    svg("path", { class: "glass", d: "M40 146 Q60 152 80 146 L83 158 Q60 166 37 158 Z" }),
    flaps,
    lids,
    state.locked === undefined
      ? svg("text", { class: "lock-unknown", x: 60, y: 118, "text-anchor": "middle" }, "?")
      : svg(
          "g",
          { class: state.locked ? "padlock shut" : "padlock open" },
          svg("rect", { x: 51, y: 108, width: 18, height: 14, rx: 3 }),
          svg("path", { d: shackle }),
        ),
  );
}
