"use strict";
const LATITUDE = "Vehicle.CurrentLocation.Latitude";
const LONGITUDE = "Vehicle.CurrentLocation.Longitude";

/**
 * Crossing the border of a polygon (WGS 84, degrees): even-odd rule, in the plane of longitude and latitude, which for
 * areas of a city is exact enough. A crossing counts when the car stayed on the other side for the time asked.
 */
module.exports = (RED) => {
  RED.nodes.registerType("kerbside-geofence", function Geofence(config) {
    RED.nodes.createNode(this, config);
    const { car } = RED.settings.kerbside;
    const corners = cornersOf(config.corners);
    if (corners === undefined) {
      this.status({ fill: "red", shape: "ring", text: "no polygon" });
      return;
    }
    const dwellMs = Math.max(0, Number(config.dwellS) || 0) * 1000;
    let inside;
    let otherSinceMs;
    let latitude;
    let longitude;
    const take = ({ bootMs, values }) => {
      latitude = values[LATITUDE] ?? latitude;
      longitude = values[LONGITUDE] ?? longitude;
      if (latitude === undefined || longitude === undefined) return;
      const now = contains(corners, latitude, longitude);
      if (inside === undefined || now === inside) {
        inside = now;
        otherSinceMs = undefined;
        return;
      }
      otherSinceMs ??= bootMs;
      if (bootMs - otherSinceMs < dwellMs) return;
      inside = now;
      otherSinceMs = undefined;
      this.status({ fill: now ? "green" : "grey", shape: "dot", text: now ? "inside" : "outside" });
      const msg = { topic: config.name || "geofence", payload: { inside: now }, bootMs };
      this.send(now ? [msg, null] : [null, msg]);
    };
    car.on("signals", take);
    this.on("close", () => car.off("signals", take));
  });
};

/** `[[latitude, longitude], …]` as JSON, 3 to 200 corners; undefined for anything else. */
function cornersOf(json) {
  try {
    const corners = JSON.parse(json);
    const isPoint = (p) =>
      Array.isArray(p) && p.length === 2 && Math.abs(p[0]) <= 90 && Math.abs(p[1]) <= 180;
    const fits = Array.isArray(corners) && corners.length >= 3 && corners.length <= 200;
    return fits && corners.every(isPoint) ? corners : undefined;
  } catch {
    return undefined;
  }
}

function contains(corners, latitude, longitude) {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [aLat, aLon] = corners[i];
    const [bLat, bLon] = corners[j];
    const crosses = aLat > latitude !== bLat > latitude;
    const atLongitude = ((bLon - aLon) * (latitude - aLat)) / (bLat - aLat) + aLon;
    if (crosses && longitude < atLongitude) inside = !inside;
  }
  return inside;
}
