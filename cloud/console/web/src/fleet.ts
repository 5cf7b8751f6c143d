/** The cars as this page knows them: loaded page by page, then kept current by what the feed announces. */
import { useEffect, useState } from "preact/hooks";
import type { Api } from "./api.ts";
import type { FeedEntry, FleetCar } from "./types.ts";

const PAGE = 1000;
const PAGES_MAX = 20;
/** Announcements within this time are answered by one look. */
const GATHER_MS = 400;
/** Cars that one request asks for, as the API allows. */
const NAMES_MAX = 40;
/** More changed cars than this are fetched by one sweep of the fleet. */
const NAMED_MAX = 400;

export type FleetState = {
  readonly cars: ReadonlyMap<string, FleetCar>;
  readonly loaded: boolean;
  readonly live: boolean;
};

export class Fleet {
  #state: FleetState = { cars: new Map(), loaded: false, live: false };
  readonly #listeners = new Set<() => void>();
  readonly #watchers = new Set<(entry: FeedEntry) => void>();
  readonly #changed = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly api: Api;

  constructor(api: Api) {
    this.api = api;
  }

  get state(): FleetState {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Every announcement, as it comes. */
  watch(watcher: (entry: FeedEntry) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  async run(): Promise<void> {
    await this.#sweep();
    const live = (is: boolean): void => this.#set({ live: is });
    for await (const entry of this.api.follow("end", { live })) this.#take(entry);
  }

  #take(entry: FeedEntry): void {
    for (const watcher of this.#watchers) watcher(entry);
    if (entry.topic !== "vehicle" && entry.topic !== "events") return;
    this.#changed.add(entry.id);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const names = [...this.#changed];
      this.#changed.clear();
      // What fails here is tried again by the next announcement.
      this.#refresh(names).catch(() => undefined);
    }, GATHER_MS);
  }

  async #refresh(names: readonly string[]): Promise<void> {
    if (names.length > NAMED_MAX) return this.#sweep();
    const changed: FleetCar[] = [];
    for (let at = 0; at < names.length; at += NAMES_MAX) {
      const query = { vehicles: names.slice(at, at + NAMES_MAX).join(",") };
      changed.push(...(await this.api.call("listFleet", { query })).items);
    }
    const cars = new Map(this.#state.cars);
    for (const car of changed) cars.set(car.vehicle, car);
    this.#set({ cars });
  }

  async #sweep(): Promise<void> {
    const cars = new Map<string, FleetCar>();
    for await (const items of this.api.pages("listFleet", { query: { limit: PAGE } }, PAGES_MAX)) {
      for (const car of items) cars.set(car.vehicle, car);
      // What is there is shown while the rest comes.
      if (!this.#state.loaded) this.#set({ cars: new Map(cars) });
    }
    this.#set({ cars, loaded: true });
  }

  #set(change: Partial<FleetState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

export function useFleet(fleet: Fleet): FleetState {
  const [state, setState] = useState(fleet.state);
  useEffect(() => fleet.subscribe(() => setState(fleet.state)), [fleet]);
  return state;
}
