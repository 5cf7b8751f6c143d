/** A card or a phone held to the reader behind the windscreen. */
import { byId, h, say } from "./dom.js";

const STORED = "kerbside-cockpit-tap";
const FIELDS = {
  card: [
    ["uid", "Number", "04a1b2c3d4e5f6"],
    ["key", "Card’s key", "none: it only has its number"],
    ["pin", "PIN", "none"],
  ],
  phone: [
    ["seed", "Phone’s seed", "64 hexadecimal digits"],
    ["action", "Wants", "unlock_and_release"],
    ["carried", "Carried grant", "none"],
  ],
};
const SHOWN = {
  granted: "green: granted",
  refused: "red: refused",
  wait: "amber: wait",
  failed: "red and amber: failed",
  no_car: "nothing: no module is there",
  silent: "nothing",
};

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
  } catch {
    return {};
  }
}

/** `hold(tap)` resolves with the answer of the API. */
export function makeTap(form, hold) {
  const known = remembered();
  const inputs = new Map();
  const draw = (kind) => {
    inputs.clear();
    const rows = FIELDS[kind].map(([name, words, placeholder]) => {
      const input = h("input", {
        id: `tap-${name}`,
        placeholder,
        autocomplete: "off",
        spellcheck: "false",
        value: known[`${kind}.${name}`] ?? "",
      });
      inputs.set(name, input);
      return h("div", { class: "field" }, h("label", { for: `tap-${name}` }, words), input);
    });
    byId("tap-fields").replaceChildren(...rows);
  };
  const kind = byId("tap-kind");
  kind.addEventListener("change", () => draw(kind.value));
  draw(kind.value);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const tap = { kind: kind.value };
    for (const [name, input] of inputs) {
      tap[name] = input.value.trim();
      known[`${kind.value}.${name}`] = tap[name];
    }
    sessionStorage.setItem(STORED, JSON.stringify(known));
    say(byId("tap-shown"), "held to the reader …");
    const { status, body } = await hold(tap);
    say(byId("tap-shown"), status === 200 ? `It shows ${SHOWN[body.shown]}.` : body.detail);
  });
}
