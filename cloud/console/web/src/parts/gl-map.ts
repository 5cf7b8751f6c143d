/**
 * MapLibre, on outlines that come with the page (Natural Earth, by world-atlas): no request leaves this origin. One
 * layer of circles for all cars. Loaded when the first map is shown.
 */
import type { Feature, FeatureCollection, LineString } from "geojson";
import {
  type GeoJSONSource,
  Map as GlMap,
  type MapOptions,
  prewarm,
  ScaleControl,
  type StyleSpecification,
  setWorkerUrl,
} from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import "maplibre-gl/dist/maplibre-gl.css";
import outlinesUrl from "virtual:outlines";
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
const FIT = { padding: 48, maxZoom: FIT_ZOOM_MAX } as const;
/**
 * Of its size, until all is there: the dozen pictures before that show nothing yet, and without a GPU each of them would
 * be 50 ms of a processor and hold up the list beside it.
 */
const UNSEEN_RATIO = 0.02;
/** Until there is a car to look at. */
const SOMEWHERE: Partial<MapOptions> = { center: [10, 50], zoom: 3 };

setWorkerUrl(workerUrl);
trustWorker(workerUrl);
// The worker starts while the cars still come.
prewarm();

/** What is on the map: cars, and the way of one. */
export type Shown = { readonly markers: readonly Marker[]; readonly track: readonly Point[] };

export type CarsOnMap = {
  readonly show: (shown: Shown) => void;
  readonly zoom: (steps: number) => void;
  readonly remove: () => void;
};

/** Starts with what there is to show, so that its first picture has it: each picture costs a computer without a GPU. */
export function openMap(
  container: HTMLElement,
  dark: boolean,
  first: Shown,
  choose: (id: string) => void,
): CarsOnMap {
  const map = new GlMap({
    container,
    attributionControl: false,
    maxZoom: 19,
    fadeDuration: 0,
    pixelRatio: UNSEEN_RATIO,
    ...viewOf(first.markers),
    style: styleOf(dark, first),
  });
  map.addControl(new ScaleControl());
  let fitted = first.markers.length > 0;
  let latest: Shown | undefined;
  const draw = (): void => {
    if (latest === undefined) return;
    const { markers, track } = latest;
    map.getSource<GeoJSONSource>("cars")?.setData(carsOf(markers));
    map.getSource<GeoJSONSource>("track")?.setData(wayOf(track));
    const bounds = fitted ? undefined : boundsOf(markers);
    if (bounds === undefined) return;
    fitted = true;
    map.fitBounds(bounds, { ...FIT, duration: 0 });
  };
  map.once("load", () => {
    draw();
    map.setPixelRatio(devicePixelRatio);
    container.dataset["cars"] = "true";
    loadTiles(map).catch(() => undefined);
  });
  // Nothing is under way any more: what there is to see is there.
  map.on("idle", () => {
    container.dataset["drawn"] = "true";
  });
  map.on("click", "cars", (event) => {
    const id: unknown = event.features?.[0]?.properties["id"];
    if (typeof id === "string") choose(id);
  });
  return {
    show: (shown) => {
      latest = shown;
      if (map.getSource("cars") !== undefined) draw();
    },
    zoom: (steps) => map.zoomTo(map.getZoom() + steps),
    remove: () => map.remove(),
  };
}

const groundOf = (
  dark: boolean,
): Readonly<Record<"ground" | "land" | "border" | "edge", string>> =>
  dark
    ? { ground: "#0e1a20", land: "#1d2825", border: "#3b4a45", edge: "#0e1a20" }
    : { ground: "#dbe7ee", land: "#f3f1ea", border: "#c3c0b5", edge: "#ffffff" };

function styleOf(dark: boolean, { markers, track }: Shown): StyleSpecification {
  const { ground, land, border, edge } = groundOf(dark);
  return {
    version: 8,
    sources: {
      cars: { type: "geojson", data: carsOf(markers) },
      track: { type: "geojson", data: wayOf(track) },
      land: { type: "geojson", data: outlinesUrl },
    },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": ground } },
      { id: "land", type: "fill", source: "land", paint: { "fill-color": land } },
      { id: "border", type: "line", source: "land", paint: { "line-color": border } },
      {
        id: "track",
        type: "line",
        source: "track",
        paint: { "line-color": TONES.moving, "line-width": 3 },
      },
      {
        id: "cars",
        type: "circle",
        source: "cars",
        paint: {
          "circle-radius": ["interpolate", ["linear"], ["zoom"], 4, 3, 12, 7],
          "circle-color": ["get", "color"],
          "circle-stroke-color": edge,
          "circle-stroke-width": 1.5,
        },
      },
    ],
  };
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

function carsOf(markers: readonly Marker[]): FeatureCollection {
  return {
    type: "FeatureCollection",
    features: markers.map(({ id, latitude, longitude, tone }) => ({
      type: "Feature",
      properties: { id, color: TONES[tone] },
      geometry: { type: "Point", coordinates: [longitude, latitude] },
    })),
  };
}

function wayOf(track: readonly Point[]): Feature<LineString> {
  const coordinates = track.map(({ latitude, longitude }) => [longitude, latitude]);
  return { type: "Feature", properties: {}, geometry: { type: "LineString", coordinates } };
}

type Bounds = [west: number, south: number, east: number, north: number];

function boundsOf(markers: readonly Marker[]): Bounds | undefined {
  if (markers.length === 0) return undefined;
  const bounds: Bounds = [180, 90, -180, -90];
  for (const { latitude, longitude } of markers) {
    bounds[0] = Math.min(bounds[0], longitude);
    bounds[1] = Math.min(bounds[1], latitude);
    bounds[2] = Math.max(bounds[2], longitude);
    bounds[3] = Math.max(bounds[3], latitude);
  }
  return bounds;
}

function viewOf(markers: readonly Marker[]): Partial<MapOptions> {
  const bounds = boundsOf(markers);
  return bounds === undefined ? SOMEWHERE : { bounds, fitBoundsOptions: FIT };
}
