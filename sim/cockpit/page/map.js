/** The town and where the car is in it. */
import { s } from "./dom.js";

const VIEW_M = 620;
const points = (line) => line.map(([east, north]) => `${east},${-north}`).join(" ");

export function makeMap(town) {
  const arrow = s(
    "g",
    { class: "arrow" },
    s("circle", { r: 26, class: "halo" }),
    s("path", { d: "M0 -17 L12 13 L0 6 L-12 13 Z" }),
  );
  const streets = (name) =>
    town.streets.map((line) => s("polyline", { class: name, points: points(line) }));
  const svg = s(
    "svg",
    {
      class: "map",
      role: "img",
      viewBox: "-300 -300 600 600",
      preserveAspectRatio: "xMidYMid slice",
    },
    ...town.greens.map((line) => s("polygon", { class: "green", points: points(line) })),
    s("polyline", { class: "river", points: points(town.river) }),
    ...streets("street-edge"),
    s("polygon", { class: "street-edge main", points: points(town.round) }),
    ...streets("street-line"),
    s("polygon", { class: "street-line main", points: points(town.round) }),
    s("polygon", { class: "round", points: points(town.round) }),
    arrow,
  );
  return {
    svg,
    show: ({ eastM, northM, headingDegrees, street }) => {
      svg.setAttribute(
        "viewBox",
        `${eastM - VIEW_M / 2} ${-northM - VIEW_M / 2} ${VIEW_M} ${VIEW_M}`,
      );
      arrow.setAttribute("transform", `translate(${eastM} ${-northM}) rotate(${headingDegrees})`);
      svg.setAttribute(
        "aria-label",
        `Map: the car is in ${street}, heading ${Math.round(headingDegrees)} degrees`,
      );
    },
  };
}
