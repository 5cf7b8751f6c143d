/** The table of live frames: one row a message and page, bytes that have just changed stand out. */
import { h, say } from "./dom.js";

const RATE_SMOOTH = 0.3;
const HIDDEN = /(_Counter|_Checksum)$/;

function makeRow(frame) {
  const bytes = (frame.data.match(/../g) ?? []).map((byte) => h("span", { class: "byte" }, byte));
  const rate = h("td", { class: "rate" }, "–");
  const signals = new Map(
    frame.signals.filter(([name]) => !HIDDEN.test(name)).map(([name]) => [name, h("b", {}, "")]),
  );
  const row = h(
    "tr",
    {},
    h("th", { scope: "row", class: "id" }, frame.id),
    h("td", { class: "message" }, frame.message),
    h("td", { class: "data" }, ...bytes),
    rate,
    h(
      "td",
      { class: "signals" },
      ...[...signals].map(([name, value]) => h("span", { class: "signal" }, `${name} `, value)),
    ),
  );
  return { row, bytes, rate, signals };
}

function update(entry, frame) {
  const now = frame.data.match(/../g) ?? [];
  for (const [index, byte] of entry.bytes.entries()) {
    const changed = byte.textContent !== now[index];
    byte.classList.toggle("changed", changed);
    if (changed) byte.textContent = now[index] ?? "";
  }
  for (const [name, value, unit] of frame.signals) {
    const cell = entry.signals.get(name);
    if (cell !== undefined) say(cell, unit === "" ? String(value) : `${value} ${unit}`);
  }
}

/** Of a message, whatever its pages: how many a second of the car's time. */
function rateOf(rates, frame) {
  const known = rates.get(frame.id);
  if (known === undefined) {
    rates.set(frame.id, { count: frame.count, atMs: frame.atMs, perSecond: 0 });
    return 0;
  }
  const passedMs = frame.atMs - known.atMs;
  if (passedMs <= 0) return known.perSecond;
  const rate = ((frame.count - known.count) * 1000) / passedMs;
  const perSecond =
    known.perSecond === 0 ? rate : known.perSecond + RATE_SMOOTH * (rate - known.perSecond);
  rates.set(frame.id, { count: frame.count, atMs: frame.atMs, perSecond });
  return perSecond;
}

export function makeFrames(body, total) {
  const rows = new Map();
  const rates = new Map();
  return (frames) => {
    for (const frame of frames) {
      // A multiplexed message has a row for each of its pages.
      const key = `${frame.id} ${frame.page}`;
      let entry = rows.get(key);
      if (entry === undefined) {
        entry = makeRow(frame);
        rows.set(key, entry);
        body.append(entry.row);
        body.append(...[...body.children].sort((a, b) => order(a).localeCompare(order(b))));
      }
      update(entry, frame);
      const rate = rateOf(rates, frame);
      if (rate > 0) say(entry.rate, `${Math.round(rate)}/s`);
    }
    const sum = [...rates.values()].reduce((all, { perSecond }) => all + perSecond, 0);
    say(total, `${Math.round(sum)} frames/s`);
  };
}

function order(row) {
  return (row.firstElementChild?.textContent ?? "").padStart(8, "0");
}
