/**
 * The outlines of countries as the map's worker reads them, made when the page is built: it fetches them itself, and the
 * thread that people type on never holds them.
 *
 * Across the 180th meridian: the source cuts them nowhere, so a ring leaps from one edge of the map to the
 * other and would be filled right across it. It is led on beyond the edge instead, as renderers that repeat the world
 * expect (RFC 7946 § 3.1.9 would cut it in two).
 */
import { readFileSync } from "node:fs";
import type { Feature, FeatureCollection, Position } from "geojson";
import { feature } from "topojson-client";
import type { Topology } from "topojson-specification";

const HALF_TURN = 180;
const TURN = 360;

/** Natural Earth at 1:50,000,000 is no truer than this, some 100 m. */
const PLACES = 3;

/** GeoJSON, from a topology of world-atlas. */
export function outlinesOf(file: string): string {
  const topology = JSON.parse(readFileSync(file, "utf8")) as Topology;
  const { countries } = topology.objects;
  const land = countries === undefined ? undefined : feature(topology, countries);
  if (land?.type !== "FeatureCollection") throw new Error(`${file}: expected countries`);
  // Nothing is asked of a country but its outline.
  const bare = withRingsLedOn(land).features.map(({ type, geometry }) => ({ type, geometry }));
  return JSON.stringify({ type: land.type, features: bare }, (_key, value: unknown) =>
    typeof value === "number" ? Number(value.toFixed(PLACES)) : value,
  );
}

/** Pure. Each longitude within half a turn of the one before. */
export function ledOn(ring: readonly Position[]): Position[] {
  let turns = 0;
  let before = ring[0]?.[0] ?? 0;
  return ring.map(([longitude = 0, ...rest]) => {
    if (longitude - before > HALF_TURN) turns -= 1;
    if (before - longitude > HALF_TURN) turns += 1;
    before = longitude;
    return [longitude + turns * TURN, ...rest];
  });
}

function withRingsLedOn({ type, features }: FeatureCollection): FeatureCollection {
  return { type, features: features.map(ledOnFeature) };
}

function ledOnFeature(feature: Feature): Feature {
  const { geometry } = feature;
  switch (geometry.type) {
    case "Polygon":
      return {
        ...feature,
        geometry: { ...geometry, coordinates: geometry.coordinates.map(ledOn) },
      };
    case "MultiPolygon": {
      const coordinates = geometry.coordinates.map((polygon) => polygon.map(ledOn));
      return { ...feature, geometry: { ...geometry, coordinates } };
    }
    default:
      return feature;
  }
}
