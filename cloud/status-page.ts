/** The state of each part as a page, and as a feed to subscribe to (RFC 4287). Nothing from elsewhere, no script. */
import type { Incident, PartChange, PartDay } from "@kerbside/tenants";

export type StatusView = {
  readonly parts: readonly {
    readonly part: string;
    readonly up: boolean;
    /** Of the time of `days`, 0 to 1; undefined where nobody has looked yet. */
    readonly share?: number;
    readonly days: readonly PartDay[];
  }[];
  /** Newest first. */
  readonly changes: readonly PartChange[];
  /** Newest first. */
  readonly incidents: readonly Incident[];
};

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (sign) => ESCAPES[sign] ?? "");
const iso = (ms: number): string => new Date(ms).toISOString();
const percent = (share: number): string => `${(Math.floor(share * 10_000) / 100).toFixed(2)} %`;

const STYLE =
  ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}" +
  "table{width:100%;border-collapse:collapse}td,th{text-align:left;padding:.3rem .5rem .3rem 0;vertical-align:top}" +
  ".days{display:flex;gap:1px;height:1.5rem}.days i{flex:1;background:#2e7d32}.days .some{background:#b26a00}.days .most{background:#c62828}" +
  ".up{color:#2e7d32}.down{color:#c62828;font-weight:bold}@media(prefers-color-scheme:dark){.up{color:#81c784}.down{color:#ef9a9a}}";

function dayBar({ day, upMs, downMs }: PartDay): string {
  const share = upMs / Math.max(1, upMs + downMs);
  const kind = share >= 0.999 ? "" : share >= 0.95 ? ' class="some"' : ' class="most"';
  return `<i${kind} title="${day}: ${percent(share)}"></i>`;
}

function incidentOf({ title, updates, closedAtMs, postMortem }: Incident): string {
  const said = [...updates]
    .reverse()
    .map(
      ({ atMs, state, words }) =>
        `<li><time>${iso(atMs)}</time> ${escaped(state)}: ${escaped(words)}</li>`,
    );
  const end = postMortem === undefined ? "" : `<p>What was learnt: ${escaped(postMortem)}</p>`;
  const state = closedAtMs === undefined ? "open" : "closed";
  return `<article><h3>${escaped(title)} (${state})</h3><ul>${said.join("")}</ul>${end}</article>`;
}

export function pageOf({ parts, incidents }: StatusView): string {
  const away = parts.filter(({ up }) => !up).map(({ part }) => part);
  const head = away.length === 0 ? "All parts are up" : `Away: ${away.join(", ")}`;
  const rows = parts.map(
    ({ part, up, share, days }) =>
      `<tr><th scope="row">${escaped(part)}</th><td class="${up ? "up" : "down"}">${up ? "up" : "down"}</td>` +
      `<td>${share === undefined ? "" : percent(share)}<div class="days" role="img" aria-label="by day">${days.map(dayBar).join("")}</div></td></tr>`,
  );
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
    `<title>Status: ${escaped(head)}</title><link rel="alternate" type="application/atom+xml" href="/status.atom" title="Status">` +
    `<style>${STYLE}</style></head><body><h1>${escaped(head)}</h1><table>${rows.join("")}</table>` +
    `<h2>Incidents</h2>${incidents.length === 0 ? "<p>none</p>" : incidents.map(incidentOf).join("")}` +
    '<p><a href="/status.atom">Subscribe</a> · <a href="/status.json">for programs</a></p></body></html>'
  );
}

type Entry = {
  readonly id: string;
  readonly atMs: number;
  readonly title: string;
  readonly words: string;
};

/** Each update of an incident, and each coming and going of a part, is an entry of its own. */
export function atomOf({ changes, incidents }: StatusView, base: string): string {
  const entries: readonly Entry[] = [
    ...changes.map(({ part, atMs, up }) => ({
      id: `${base}/status#${part}-${atMs}`,
      atMs,
      title: `${part} is ${up ? "up" : "down"}`,
      words: `${part} is ${up ? "up" : "down"}`,
    })),
    ...incidents.flatMap(({ id, title, updates }) =>
      updates.map(({ atMs, state, words }, place) => ({
        id: `${base}/status#${id}-${place + 1}`,
        atMs,
        title: `${title}: ${state}`,
        words,
      })),
    ),
  ];
  const items = [...entries]
    .sort((a, b) => b.atMs - a.atMs)
    .map(
      ({ id, atMs, title, words }) =>
        `<entry><id>${escaped(id)}</id><updated>${iso(atMs)}</updated><title>${escaped(title)}</title>` +
        `<content>${escaped(words)}</content><link href="${escaped(base)}/status"/></entry>`,
    );
  const updated = iso(Math.max(0, ...entries.map(({ atMs }) => atMs)));
  return (
    '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">' +
    `<id>${escaped(base)}/status</id><title>Status</title><updated>${updated}</updated>` +
    `<author><name>Kerbside</name></author><link rel="self" href="${escaped(base)}/status.atom"/>${items.join("")}</feed>`
  );
}
