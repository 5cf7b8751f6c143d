/**
 * Outlines across the 180th meridian: the source cuts them nowhere, so a ring leaps from one edge of the map to the
 * other and would be filled right across it. It is led on beyond the edge instead, as renderers that repeat the world
 * expect (RFC 7946 § 3.1.9 would cut it in two).
 */
import type { Feature, FeatureCollection, Position } from "geojson";

const HALF_TURN = 180;
const TURN = 360;

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

export function withRingsLedOn({ type, features }: FeatureCollection): FeatureCollection {
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
