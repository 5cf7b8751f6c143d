// @ts-check
/** Where a car has been, plotted north up at true proportions, with a scale; no map is fetched from anywhere. */
import { svg } from "./dom.js";

const WIDTH = 320;
const HEIGHT = 180;
const MARGIN = 22;
/** Metres in a degree of latitude (WGS 84 mean). */
const DEGREE_M = 111_320;
/** The plot never shows less than this, so that a parked car's noise is not blown up. */
const SPAN_M_MIN = 120;

/** @param {number} metres the longest a bar may be */
function roundDown(metres) {
  const power = 10 ** Math.floor(Math.log10(metres));
  const step = [5, 2, 1].find((n) => n * power <= metres) ?? 1;
  return step * power;
}

/**
 * @param {readonly import("./fold.js").Place[]} track
 * @param {number | undefined} headingDeg
 */
export function trackPlot(track, headingDeg) {
  const last = track.at(-1);
  if (last === undefined) return undefined;
  const east = Math.cos((last.latitude * Math.PI) / 180) * DEGREE_M;
  const metres = track.map((p) => [
    (p.longitude - last.longitude) * east,
    (last.latitude - p.latitude) * DEGREE_M,
  ]);
  const xs = metres.map(([x]) => x ?? 0);
  const ys = metres.map(([, y]) => y ?? 0);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const perMetre = Math.min(
    (WIDTH - 2 * MARGIN) / Math.max(right - left, SPAN_M_MIN),
    (HEIGHT - 2 * MARGIN) / Math.max(bottom - top, SPAN_M_MIN * (HEIGHT / WIDTH)),
  );
  const x = (/** @type {number} */ m) => WIDTH / 2 + (m - (left + right) / 2) * perMetre;
  const y = (/** @type {number} */ m) => HEIGHT / 2 + (m - (top + bottom) / 2) * perMetre;
  const points = metres.map(([mx, my]) => `${x(mx ?? 0).toFixed(1)},${y(my ?? 0).toFixed(1)}`);
  const scaleM = roundDown(90 / perMetre);
  const label = scaleM >= 1000 ? `${scaleM / 1000} km` : `${scaleM} m`;
  const bar = HEIGHT - 9;
  return svg(
    "svg",
    {
      class: "track",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-label": `The last ${track.length} positions; the newest is ${last.latitude.toFixed(5)}, ${last.longitude.toFixed(5)}`,
    },
    svg("polyline", { class: "line", points: points.join(" ") }),
    svg("circle", { class: "start", cx: x(xs[0] ?? 0), cy: y(ys[0] ?? 0), r: 3 }),
    svg(
      "g",
      { transform: `translate(${x(0).toFixed(1)} ${y(0).toFixed(1)}) rotate(${headingDeg ?? 0})` },
      headingDeg === undefined
        ? svg("circle", { class: "now", r: 5 })
        : svg("path", { class: "now", d: "M0 -8 L6 7 L0 4 L-6 7 Z" }),
    ),
    svg("path", {
      class: "scale",
      d: `M10 ${bar - 4} V${bar} H${10 + scaleM * perMetre} V${bar - 4}`,
    }),
    svg("text", { class: "scale-text", x: 16 + scaleM * perMetre, y: bar + 1 }, label),
    svg("text", { class: "scale-text", x: WIDTH - 18, y: 16 }, "N ↑"),
  );
}
