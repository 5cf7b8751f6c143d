/** The car from above: doors and lids that open, bolts, lights, who sits in it, and the road that passes beneath. */
import { s, whenPressed } from "./dom.js";

const DOORS = [
  {
    leaf: "driver",
    words: "Driver’s door",
    hinge: [58, 172],
    panel: "M54 172 C53 200 53 235 53 262 L67 262 C68 235 70 205 74 176 Z",
    glass: "M70 182 L79 208 L79 256 L68 256 Z",
    lock: [33, 242],
  },
  {
    leaf: "rearDriver",
    words: "Rear left door",
    hinge: [54, 266],
    panel: "M53 266 C53 295 54 325 57 348 L74 342 C69 318 67 290 67 266 Z",
    glass: "M68 270 L79 270 L79 322 L73 330 Z",
    lock: [33, 352],
  },
  {
    leaf: "passenger",
    words: "Passenger’s door",
    right: true,
    hinge: [202, 172],
    panel: "M206 172 C207 200 207 235 207 262 L193 262 C192 235 190 205 186 176 Z",
    glass: "M190 182 L181 208 L181 256 L192 256 Z",
    lock: [227, 242],
  },
  {
    leaf: "rearPassenger",
    words: "Rear right door",
    right: true,
    hinge: [206, 266],
    panel: "M207 266 C207 295 206 325 203 348 L186 342 C191 318 193 290 193 266 Z",
    glass: "M192 270 L181 270 L181 322 L187 330 Z",
    lock: [227, 352],
  },
];
const LIDS = [
  {
    leaf: "hood",
    words: "Hood",
    panel:
      "M80 74 C105 62 155 62 180 74 C192 88 196 112 197 140 C160 128 100 128 63 140 C64 112 68 88 80 74 Z",
  },
  {
    leaf: "trunk",
    words: "Trunk",
    panel: "M72 384 C105 396 155 396 188 384 L183 416 C155 426 105 426 77 416 Z",
    lock: [130, 446],
  },
];
const BODY =
  "M80 62 C104 48 156 48 180 62 C198 74 205 104 206 138 L208 340 C208 390 200 420 182 428 C154 437 106 437 78 428 C60 420 52 390 52 340 L54 138 C55 104 62 74 80 62 Z";
const LOCKED = "M-4 -1 V-4 a4 4 0 0 1 8 0 V-1";
const UNLOCKED = "M-4 -1 V-5 a4 4 0 0 1 8 0";

function gradient(id, stops, attributes) {
  return s(
    "linearGradient",
    { id, ...attributes },
    ...stops.map(([offset, color, opacity = 1]) =>
      s("stop", { offset, "stop-color": color, "stop-opacity": opacity }),
    ),
  );
}

function definitions() {
  return s(
    "defs",
    {},
    gradient(
      "paint",
      [
        [0, "#2c8f83"],
        [0.5, "#4fd3bd"],
        [1, "#2c8f83"],
      ],
      { x1: 0, x2: 1, y1: 0, y2: 0 },
    ),
    gradient(
      "panel",
      [
        [0, "#3bb5a2"],
        [0.5, "#62e0cb"],
        [1, "#3bb5a2"],
      ],
      { x1: 0, x2: 1, y1: 0, y2: 0 },
    ),
    gradient(
      "roof",
      [
        [0, "#37a897"],
        [0.5, "#5bdcc6"],
        [1, "#37a897"],
      ],
      { x1: 0, x2: 1, y1: 0, y2: 0 },
    ),
    gradient(
      "glass",
      [
        [0, "#20364a"],
        [1, "#0f1c29"],
      ],
      { x1: 0, x2: 0, y1: 0, y2: 1 },
    ),
    gradient(
      "beam",
      [
        [0, "#fff3c4", 0],
        [1, "#fff3c4", 0.55],
      ],
      { x1: 0, x2: 0, y1: 0, y2: 1 },
    ),
  );
}

function padlock([x, y]) {
  const shackle = s("path", { d: LOCKED, class: "shackle" });
  const group = s(
    "g",
    { class: "bolt", transform: `translate(${x} ${y})`, "aria-hidden": "true" },
    s("circle", { r: 13 }),
    shackle,
    s("rect", { x: -6, y: -1, width: 12, height: 9, rx: 2 }),
  );
  return { group, shackle };
}

/** One door or lid: a button that shows whether it is open and whether its bolt is locked. */
function makeLeaf(row, press) {
  const bay = s("path", { d: row.panel, class: "bay" });
  const moving = s("g", { class: "moving" }, s("path", { d: row.panel, class: "panel-shape" }));
  if (row.glass !== undefined) moving.append(s("path", { d: row.glass, class: "side-glass" }));
  const lock = row.lock === undefined ? undefined : padlock(row.lock);
  const hit = row.right ? [182, row.hinge[1]] : [4, row.hinge?.[1]];
  const area =
    row.hinge === undefined
      ? s("path", { d: row.panel, class: "hit" })
      : s("rect", { class: "hit", x: hit[0], y: hit[1], width: 74, height: 84, rx: 8 });
  const group = s(
    "g",
    { class: `leaf ${row.leaf}`, role: "button", tabindex: 0 },
    area,
    bay,
    moving,
  );
  if (lock !== undefined) group.append(lock.group);
  let isOpen = false;
  whenPressed(group, () => press(row.leaf, !isOpen));
  return {
    group,
    show: (open, bolt) => {
      isOpen = open;
      group.classList.toggle("open", open);
      group.setAttribute("aria-pressed", String(open));
      const bolted = bolt === undefined ? "" : `, ${bolt === "unknown" ? "bolt moving" : bolt}`;
      group.setAttribute("aria-label", `${row.words}: ${open ? "open" : "closed"}${bolted}`);
      if (lock === undefined) return;
      lock.group.setAttribute("class", `bolt ${bolt}`);
      lock.shackle.setAttribute("d", bolt === "unlocked" ? UNLOCKED : LOCKED);
    },
  };
}

function road() {
  const lane = (x) => s("line", { class: "lane", x1: x, x2: x, y1: -900, y2: 1400 });
  return s(
    "g",
    { class: "road", "aria-hidden": "true" },
    s("rect", { x: -900, y: -900, width: 2060, height: 2300 }),
    lane(-14),
    lane(274),
  );
}

function lights() {
  const part = (name, tag, attributes) => s(tag, { class: `light ${name}`, ...attributes });
  return s(
    "g",
    { "aria-hidden": "true" },
    part("beam", "path", { d: "M66 74 L20 -40 L112 -40 L92 66 Z" }),
    part("beam", "path", { d: "M194 74 L240 -40 L148 -40 L168 66 Z" }),
    part("head", "path", { d: "M64 84 C68 72 78 64 90 62 L88 72 C80 74 72 80 68 90 Z" }),
    part("head", "path", { d: "M196 84 C192 72 182 64 170 62 L172 72 C180 74 188 80 192 90 Z" }),
    part("tail", "path", { d: "M62 398 C66 414 74 424 86 428 L90 420 C80 416 74 408 72 396 Z" }),
    part("tail", "path", {
      d: "M198 398 C194 414 186 424 174 428 L170 420 C180 416 186 408 188 396 Z",
    }),
    part("turn", "circle", { cx: 60, cy: 98, r: 5 }),
    part("turn", "circle", { cx: 200, cy: 98, r: 5 }),
    part("turn", "circle", { cx: 58, cy: 388, r: 5 }),
    part("turn", "circle", { cx: 202, cy: 388, r: 5 }),
  );
}

function cabin() {
  const seat = (x, y) => s("rect", { class: "seat", x, y, width: 34, height: 40, rx: 9 });
  return s(
    "g",
    { "aria-hidden": "true" },
    s("path", {
      class: "windscreen",
      d: "M72 154 C104 138 156 138 188 154 L177 200 C152 190 108 190 83 200 Z",
    }),
    s("rect", { class: "roof", x: 82, y: 198, width: 96, height: 138, rx: 14 }),
    seat(90, 222),
    seat(136, 222),
    s("rect", { class: "seat", x: 90, y: 284, width: 80, height: 34, rx: 9 }),
    s("circle", { class: "wheel", cx: 107, cy: 210, r: 9 }),
    s("path", {
      class: "windscreen",
      d: "M83 338 C108 348 152 348 177 338 L187 374 C155 388 105 388 73 374 Z",
    }),
    s("path", { class: "mirror", d: "M53 160 L36 166 L40 176 L54 174 Z" }),
    s("path", { class: "mirror", d: "M207 160 L224 166 L220 176 L206 174 Z" }),
    s(
      "g",
      { class: "person" },
      s("ellipse", { cx: 107, cy: 246, rx: 16, ry: 12 }),
      s("circle", { cx: 107, cy: 240, r: 8.5 }),
      s("path", { class: "belt-line", d: "M95 238 L118 256" }),
    ),
  );
}

/** `press(leaf, open)` is called when somebody works a door or lid. */
export function makeCar(press) {
  const leaves = [...DOORS, ...LIDS].map((row) => ({ leaf: row.leaf, ...makeLeaf(row, press) }));
  const wheels = [
    [46, 104],
    [200, 104],
    [46, 332],
    [200, 332],
  ].map(([x, y]) => s("rect", { class: "tyre", x, y, width: 14, height: 52, rx: 5 }));
  const ground = road();
  const body = s("g", { "aria-hidden": "true" }, ...wheels, s("path", { class: "body", d: BODY }));
  const svg = s(
    "svg",
    {
      viewBox: "-20 -10 300 490",
      class: "car",
      role: "group",
      "aria-label": "Doors, hood and trunk",
    },
    definitions(),
    ground,
    lights(),
    body,
    cabin(),
    ...leaves.map(({ group }) => group),
  );
  // Lights lie over the paint, beams under it.
  svg.append(...svg.querySelectorAll(".light:not(.beam)"));
  const lanes = [...ground.querySelectorAll(".lane")];
  let wayM = 0;
  return {
    svg,
    show: (car) => {
      for (const { leaf, show } of leaves) show(car.open[leaf], car.bolts[leaf]);
      svg.classList.toggle("inside", car.driver === "inside");
      svg.classList.toggle("belted", car.belted);
      svg.classList.toggle("beams", car.lowBeam);
      svg.classList.toggle("braking", car.brake > 0.02);
      svg.classList.toggle("calling", car.calling);
    },
    /** Moves the road under the car by as much as it goes. */
    roll: (metres) => {
      wayM = (wayM + metres) % 1000;
      for (const lane of lanes) lane.setAttribute("stroke-dashoffset", String(-wayM * 22));
    },
  };
}
