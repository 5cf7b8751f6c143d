// @ts-check
/** Asking a car to lock or unlock, and showing what becomes of it, step by step. */
import { Problem } from "./api.js";
import { byId, h } from "./dom.js";
import { clock, dayAndTime, STATES } from "./words.js";

/** How long one look at a command waits for its end, in milliseconds. */
const WAIT_MS = 25_000;
/** A rental that ended can be locked for this long; the server decides. */
const LOCK_AFTER_END_MS = 15 * 60_000;

/**
 * @typedef {{
 *   id: string, action: string, booking?: string, state: string, final: boolean,
 *   steps: { state: string, at: string }[],
 *   result?: { unmet: { condition: string, words: string }[], sensed?: Record<string, string>, reason?: string, durable: boolean },
 *   error?: { code: string, words: string, mayHaveSucceeded: boolean, temporary: boolean },
 * }} Command
 * @typedef {{ booking: string, from: string, to: string, state: string }} Booking
 */

/**
 * @param {string} title
 * @param {string} text
 * @param {string} yes
 * @returns {Promise<boolean>}
 */
function confirmed(title, text, yes) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("confirm"));
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true });
  });
}

/** @param {Command} command */
function steps(command) {
  const began = Date.parse(command.steps[0]?.at ?? "");
  return h(
    "ol",
    { class: "steps" },
    command.steps.map(({ state, at }) => {
      const { tone, title } = STATES[state] ?? { tone: "busy", title: state };
      const afterMs = Date.parse(at) - began;
      return h(
        "li",
        { class: tone },
        h("span", { class: "step" }, title),
        h("span", { class: "after" }, afterMs === 0 ? clock(at) : `+${afterMs} ms`),
      );
    }),
  );
}

/** @param {Command} command */
function findings(command) {
  const { result, error } = command;
  const sensed = Object.entries(result?.sensed ?? {}).map(([name, seen]) => {
    const words = { locked: "locked", immobilised: "immobilised", doorsClosed: "doors closed" };
    return h("li", {}, `${words[/** @type {keyof typeof words} */ (name)] ?? name}: ${seen}`);
  });
  const unmet = (result?.unmet ?? []).map(({ condition, words }) =>
    h("li", { class: "unmet" }, words || condition),
  );
  return [
    unmet.length > 0 && h("p", { class: "why" }, "Because:"),
    unmet.length > 0 && h("ul", { class: "findings" }, unmet),
    error !== undefined && unmet.length === 0 && h("p", { class: "why" }, error.words),
    result?.reason !== undefined && h("p", { class: "why" }, `The car says: ${result.reason}.`),
    result?.durable === false && h("p", { class: "why" }, "The car could not write it down."),
    error?.mayHaveSucceeded === true &&
      h("p", { class: "doubt" }, "It may have been done all the same."),
    sensed.length > 0 &&
      h("ul", { class: "findings inline" }, h("li", {}, "Seen after it –"), sensed),
  ];
}

/** @param {Command} command */
export function commandCard(command) {
  const { tone, title, words } = STATES[command.state] ?? {
    tone: "busy",
    title: command.state,
    words: () => "",
  };
  const name =
    command.action === "unlock" ? "Unlock" : command.action === "lock" ? "Lock" : command.action;
  return h(
    "article",
    { class: `command ${tone}`, "data-command": command.id, "data-state": command.state },
    h("h4", {}, `${name} – ${title}`, h("span", { class: "words" }, ` ${words(command.action)}`)),
    steps(command),
    findings(command),
    h("p", { class: "id" }, command.booking === undefined ? "as staff" : `for ${command.booking}`),
  );
}

export class CommandPanel {
  #api;
  #vehicle;
  #select = /** @type {HTMLSelectElement} */ (h("select", { id: "booking" }));
  #note = h("p", { class: "hint", id: "command-note" });
  #live = h("div", { class: "current", "aria-live": "polite" });
  /** @type {HTMLButtonElement[]} */
  #buttons;
  /** @type {Booking[]} */
  #bookings = [];
  /** Whether the operator chose by hand; until then the first that covers the car is offered. */
  #chosen = false;
  #busy = false;
  #online = false;
  /** @type {string | undefined} */
  #current;
  element;

  /**
   * @param {import("./api.js").Api} api
   * @param {string} vehicle
   */
  constructor(api, vehicle) {
    this.#api = api;
    this.#vehicle = vehicle;
    this.#buttons = ["unlock", "lock"].map((action) => {
      const attributes = {
        type: "button",
        class: "primary",
        "data-action": action,
        "aria-describedby": "command-note",
        click: () => this.#ask(action),
      };
      const label = action === "unlock" ? "Unlock" : "Lock";
      return /** @type {HTMLButtonElement} */ (h("button", attributes, label));
    });
    this.#select.addEventListener("change", () => {
      this.#chosen = true;
      this.#show();
    });
    this.element = h(
      "section",
      { class: "card control", "aria-labelledby": "control-title" },
      h("h3", { id: "control-title" }, "Doors"),
      h("label", { for: "booking" }, "For"),
      this.#select,
      h("div", { class: "row" }, this.#buttons),
      this.#note,
      this.#live,
    );
    this.#show();
  }

  /** @param {boolean} online */
  online(online) {
    this.#online = online;
    this.#show();
  }

  async refreshBookings() {
    const page = await this.#api.ask(`/bookings?vehicle=${this.#vehicle}&limit=50`);
    const now = Date.now();
    this.#bookings = page.items.filter((/** @type {Booking} */ b) => {
      const until = Date.parse(b.to);
      if (b.state === "open") return true;
      if (b.state === "reserved") return Date.parse(b.from) <= now && now < until;
      return b.state === "ended" && now < until + LOCK_AFTER_END_MS;
    });
    const rank = (/** @type {Booking} */ b) => ["open", "reserved", "ended"].indexOf(b.state);
    this.#bookings.sort((a, b) => rank(a) - rank(b));
    const before = this.#select.value;
    const options = this.#bookings.map((b) =>
      h("option", { value: b.booking }, `${b.state}, to ${dayAndTime(b.to)}: ${b.booking}`),
    );
    if (this.#api.scopes.has("commands:operate")) {
      options.push(h("option", { value: "" }, "staff, without a booking"));
    }
    this.#select.replaceChildren(...options);
    const values = [...this.#select.options].map((option) => option.value);
    if (this.#chosen && values.includes(before)) this.#select.value = before;
    this.#show();
  }

  /** @param {string} id of a command that changed */
  async changed(id) {
    if (id === this.#current) await this.#look(id, 0);
  }

  #show() {
    const none = this.#select.options.length === 0;
    const booking = this.#bookings.find((b) => b.booking === this.#select.value);
    this.#select.disabled = none || this.#busy;
    for (const button of this.#buttons) {
      const ended = booking?.state === "ended" && button.dataset["action"] === "unlock";
      button.disabled = none || this.#busy || ended;
    }
    const notes = [
      none && "No booking covers this car now, and this client may not act without one.",
      booking?.state === "ended" && "This rental has ended: it can only be locked, for a while.",
      !this.#online && "The car is not connected: nothing is kept for later.",
    ];
    this.#note.textContent = notes.filter((note) => note !== false).join(" ");
  }

  /** @param {string} action */
  async #ask(action) {
    const booking = this.#select.value;
    const unlock = action === "unlock";
    const title = unlock ? "Unlock this car?" : "Lock this car?";
    const whom = booking === "" ? "as staff" : `for ${booking}`;
    const text = `${this.#vehicle}, ${whom}. ${unlock ? "Anybody beside it can get in then." : "Nobody should be locked in."}`;
    if (this.#busy || !(await confirmed(title, text, unlock ? "Unlock" : "Lock"))) return;
    this.#busy = true;
    this.#show();
    this.#live.replaceChildren(h("p", { class: "hint" }, "Asking…"));
    try {
      const body = booking === "" ? { action } : { action, booking };
      const command = await this.#api.post(`/vehicles/${this.#vehicle}/commands`, body);
      this.#current = command.id;
      this.#draw(command);
      for (let now = command; !now.final; ) now = await this.#look(command.id, WAIT_MS);
    } catch (error) {
      if (this.#api.closed) return;
      await this.#failed(error);
    } finally {
      this.#busy = false;
      this.#show();
    }
  }

  /**
   * @param {string} id
   * @param {number} waitMs
   * @returns {Promise<Command>}
   */
  async #look(id, waitMs) {
    const command = await this.#api.ask(`/commands/${id}?wait=${waitMs}`);
    if (id === this.#current) this.#draw(command);
    return command;
  }

  /** @param {Command} command */
  #draw(command) {
    this.#live.replaceChildren(commandCard(command));
  }

  /** @param {unknown} error */
  async #failed(error) {
    if (error instanceof Problem && error.command !== undefined) {
      this.#current = error.command;
      await this.#look(error.command, 0);
      return;
    }
    const words =
      error instanceof Problem
        ? `${error.title} ${error.message === error.title ? "" : error.message}`
        : "The connection broke; look at the commands below before you ask again.";
    this.#live.replaceChildren(h("p", { class: "error", role: "alert" }, words));
  }
}
