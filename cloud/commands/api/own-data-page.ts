/** What is kept of a person as a page to read: no script, nothing from elsewhere, everything escaped. */

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (sign) => ESCAPES[sign] ?? "");

const STYLE =
  "body{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}" +
  "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:#555}dd{margin:0}" +
  "li{margin:.5rem 0}";

/** `fieldName` as words. */
const words = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (sign) => ` ${sign.toLowerCase()}`);

function shown(value: unknown): string {
  if (Array.isArray(value)) {
    const items = value.map((item) => `<li>${shown(item)}</li>`);
    return items.length === 0 ? "<p>nothing</p>" : `<ul>${items.join("")}</ul>`;
  }
  if (typeof value === "object" && value !== null) {
    const rows = Object.entries(value).map(
      ([name, inner]) => `<dt>${escaped(words(name))}</dt><dd>${shown(inner)}</dd>`,
    );
    return `<dl>${rows.join("")}</dl>`;
  }
  return escaped(String(value));
}

export function readablePage(data: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(data).map(
    ([name, value]) => `<section><h2>${escaped(words(name))}</h2>${shown(value)}</section>`,
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>My data</title><style>${STYLE}</style><h1>What is kept of me</h1>${parts.join("")}</html>`;
}
