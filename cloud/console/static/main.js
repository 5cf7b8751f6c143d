// @ts-check
/** Signing in, the list of cars, and what the feed announces on its way to the parts of the page. */
import { Api, Problem } from "./api.js";
import { CarView } from "./car.js";
import { byId, h } from "./dom.js";

/** Announcements within this time are answered by one look. */
const GATHER_MS = 400;
const CARS_MAX = 200;

/** @type {{ api: Api, car?: CarView, chosen?: string } | undefined} */
let session;
/** @type {Map<string, ReturnType<typeof setTimeout>>} */
const gathering = new Map();

/**
 * @param {string} name
 * @param {() => Promise<void> | undefined} look
 */
function soon(name, look) {
  if (gathering.has(name)) return;
  const run = () => {
    gathering.delete(name);
    look()?.catch(failed);
  };
  gathering.set(name, setTimeout(run, GATHER_MS));
}

/** @param {unknown} error */
function failed(error) {
  if (session === undefined || session.api.closed) return;
  if (error instanceof Problem && error.code === "unauthenticated") signOut(error.title);
}

/** @param {string} [why] */
function signOut(why = "") {
  session?.api.close();
  session = undefined;
  for (const timer of gathering.values()) clearTimeout(timer);
  gathering.clear();
  byId("board").hidden = true;
  byId("sign-out").hidden = true;
  byId("sign-in").hidden = false;
  byId("tenant").textContent = "";
  byId("live").textContent = "";
  byId("live").className = "live";
  byId("sign-in-error").textContent = why;
  byId("cars").replaceChildren();
  byId("detail").replaceChildren();
  /** @type {HTMLInputElement} */ (byId("secret")).value = "";
  byId("client").focus();
}

async function showCars() {
  const now = session;
  if (now === undefined) return;
  const { items } = await now.api.ask(`/vehicles?limit=${CARS_MAX}`);
  if (session !== now) return;
  now.chosen ??= items[0]?.vehicle;
  const focused = document.activeElement?.getAttribute("data-vehicle");
  const rows = items.map(
    (/** @type {{ vehicle: string, online: boolean }} */ { vehicle, online }) =>
      h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            "data-vehicle": vehicle,
            "aria-current": vehicle === now.chosen ? "true" : undefined,
            click: () => choose(vehicle),
          },
          h("span", { class: online ? "dot on" : "dot off" }),
          h("span", { class: "name" }, vehicle),
          h("span", { class: "sub" }, online ? "connected" : "not connected"),
        ),
      ),
  );
  const none = h("li", { class: "hint" }, "No car is enrolled yet.");
  byId("cars").replaceChildren(...(rows.length === 0 ? [none] : rows));
  for (const button of byId("cars").querySelectorAll("button")) {
    if (focused && button.dataset["vehicle"] === focused) button.focus();
  }
  if (now.chosen !== undefined && now.car === undefined) await choose(now.chosen);
}

/** @param {string} vehicle */
async function choose(vehicle) {
  if (session === undefined) return;
  const again = session.car !== undefined;
  session.chosen = vehicle;
  const car = new CarView(session.api, vehicle);
  session.car = car;
  byId("detail").replaceChildren(car.element);
  for (const button of byId("cars").querySelectorAll("button")) {
    if (button.dataset["vehicle"] === vehicle) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  if (again) car.element.querySelector("h2")?.focus();
  await car.start().catch(failed);
}

/** @param {{ topic: string, id: string }} entry */
function changed({ topic, id }) {
  const car = session?.car;
  const chosen = session?.chosen;
  switch (topic) {
    case "vehicle":
      soon("cars", showCars);
      if (id === chosen) soon("vehicle", () => car?.refreshVehicle());
      return;
    case "booking":
      soon("bookings", () => car?.refreshBookings());
      return;
    case "command":
      soon(`command ${id}`, () => car?.commandChanged(id));
      return;
    default:
      if (id.startsWith(chosen ?? "")) soon("events", () => car?.refreshEvents());
  }
}

/** @param {"live" | "waiting"} state */
function live(state) {
  const element = byId("live");
  element.className = state === "live" ? "live on" : "live waiting";
  element.textContent = state === "live" ? "Live" : "Connecting…";
  if (state === "live") soon("cars", showCars);
}

/** @param {Event} event */
async function signIn(event) {
  event.preventDefault();
  const client = /** @type {HTMLInputElement} */ (byId("client"));
  const secret = /** @type {HTMLInputElement} */ (byId("secret"));
  const api = new Api();
  byId("sign-in-error").textContent = "";
  try {
    await api.signIn(client.value.trim(), secret.value.trim());
  } catch (error) {
    byId("sign-in-error").textContent =
      error instanceof Problem ? error.title : "The server cannot be reached.";
    return;
  }
  secret.value = "";
  session = { api };
  byId("sign-in").hidden = true;
  byId("board").hidden = false;
  byId("sign-out").hidden = false;
  byId("tenant").textContent = api.tenant;
  byId("main").focus();
  await showCars().catch(failed);
  await api.follow(changed, live);
}

byId("sign-in").addEventListener("submit", (event) => void signIn(event));
byId("sign-out").addEventListener("click", () => signOut());
byId("client").focus();
