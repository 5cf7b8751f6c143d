/**
 * MapLibre, on outlines that come with the page (Natural Earth, by world-atlas): no request leaves this origin. One
 * layer of circles for all cars. Loaded when the first map is shown.
 */
import { type GeoJSONSource, Map as GlMap, ScaleControl, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import "maplibre-gl/dist/maplibre-gl.css";
import { feature } from "topojson-client";
import type { Topology } from "topojson-specification";
import landUrl from "world-atlas/countries-50m.json?url";
import { withRingsLedOn } from "../rings.ts";
import { trustWorker } from "../trusted.ts";
import type { Marker, Point } from "../types.ts";

const TONES = {
  good: "#0f8a4f",
  moving: "#1a6fd0",
  off: "#7a8783",
  bad: "#c4382e",
} as const satisfies Readonly<Record<Marker["tone"], string>>;
/** Outlines of countries say nothing closer than this. */
const FIT_ZOOM_MAX = 7;
const PADDING = 48;

setWorkerUrl(workerUrl);
trustWorker(workerUrl);

export type CarsOnMap = {
  readonly show: (markers: readonly Marker[], track: readonly Point[]) => void;
  readonly zoom: (steps: number) => void;
  readonly remove: () => void;
};

export function openMap(box: HTMLElement, dark: boolean, choose: (id: string) => void): CarsOnMap {
  const map = makeMap(box, dark, choose);
  let fitted = false;
  let latest: (() => void) | undefined;
  map.once("load", () => latest?.());
  return {
    show: (markers, track) => {
      latest = () => {
        draw(map, markers, track);
        if (fitted || markers.length === 0) return;
        fitted = true;
        fit(map, markers);
      };
      if (map.getSource("cars") !== undefined) latest();
    },
    zoom: (steps) => map.zoomTo(map.getZoom() + steps),
    remove: () => map.remove(),
  };
}

function makeMap(container: HTMLElement, dark: boolean, choose: (id: string) => void): GlMap {
  const [ground, land, border] = dark
    ? ["#0e1a20", "#1d2825", "#3b4a45"]
    : ["#dbe7ee", "#f3f1ea", "#c3c0b5"];
  const made = new GlMap({
    container,
    attributionControl: false,
    center: [10, 50],
    zoom: 3,
    maxZoom: 19,
    style: {
      version: 8,
      sources: {},
      layers: [{ id: "ground", type: "background", paint: { "background-color": ground } }],
    },
  });
  made.addControl(new ScaleControl());
  const empty = { type: "FeatureCollection" as const, features: [] };
  made.on("load", () => {
    made.addSource("land", { type: "geojson", data: empty });
    made.addLayer({ id: "land", type: "fill", source: "land", paint: { "fill-color": land } });
    made.addLayer({ id: "border", type: "line", source: "land", paint: { "line-color": border } });
    made.addSource("track", { type: "geojson", data: empty });
    made.addLayer({
      id: "track",
      type: "line",
      source: "track",
      paint: { "line-color": TONES.moving, "line-width": 3 },
    });
    made.addSource("cars", { type: "geojson", data: empty });
    made.addLayer({
      id: "cars",
      type: "circle",
      source: "cars",
      paint: {
        "circle-radius": ["interpolate", ["linear"], ["zoom"], 4, 3, 12, 7],
        "circle-color": ["get", "color"],
        "circle-stroke-color": dark ? "#0e1a20" : "#ffffff",
        "circle-stroke-width": 1.5,
      },
    });
    loadLand(made).catch(() => undefined);
    loadTiles(made).catch(() => undefined);
  });
  // Nothing is under way any more: what there is to see is there.
  made.on("idle", () => {
    container.dataset["drawn"] = "true";
  });
  made.on("click", "cars", (event) => {
    const id: unknown = event.features?.[0]?.properties["id"];
    if (typeof id === "string") choose(id);
  });
  return made;
}

type Settings = { readonly tiles?: { readonly url: string; readonly credit?: string } };
const TILE_PX = 256;

/** Streets over the outlines and below the cars, where the operator has chosen a server for them. */
async function loadTiles(map: GlMap): Promise<void> {
  const reply = await fetch("/console/settings.json");
  const { tiles } = (await reply.json()) as Settings;
  if (tiles === undefined) return;
  map.addSource("streets", { type: "raster", tiles: [tiles.url], tileSize: TILE_PX });
  map.addLayer({ id: "streets", type: "raster", source: "streets" }, "track");
  if (tiles.credit === undefined) return;
  // The map's own control for this writes HTML, which the page's policy forbids.
  const credit = document.createElement("span");
  credit.className = "credit";
  credit.textContent = tiles.credit;
  map.getContainer().append(credit);
}

async function loadLand(map: GlMap): Promise<void> {
  const reply = await fetch(landUrl);
  const topology = (await reply.json()) as Topology;
  const { countries } = topology.objects;
  if (countries === undefined) return;
  const land = feature(topology, countries);
  map
    .getSource<GeoJSONSource>("land")
    ?.setData(land.type === "FeatureCollection" ? withRingsLedOn(land) : land);
}

function draw(map: GlMap, markers: readonly Marker[], track: readonly Point[]): void {
  map.getSource<GeoJSONSource>("cars")?.setData({
    type: "FeatureCollection",
    features: markers.map(({ id, latitude, longitude, tone }) => ({
      type: "Feature",
      properties: { id, color: TONES[tone] },
      geometry: { type: "Point", coordinates: [longitude, latitude] },
    })),
  });
  map.getSource<GeoJSONSource>("track")?.setData({
    type: "Feature",
    properties: {},
    geometry: {
      type: "LineString",
      coordinates: track.map(({ latitude, longitude }) => [longitude, latitude]),
    },
  });
}

function fit(map: GlMap, markers: readonly Marker[]): void {
  const lats = markers.map(({ latitude }) => latitude).sort((a, b) => a - b);
  const lons = markers.map(({ longitude }) => longitude).sort((a, b) => a - b);
  const [south = 0, north = 0] = [lats[0], lats.at(-1)];
  const [west = 0, east = 0] = [lons[0], lons.at(-1)];
  map.fitBounds([west, south, east, north], {
    padding: PADDING,
    maxZoom: FIT_ZOOM_MAX,
    duration: 0,
  });
}
