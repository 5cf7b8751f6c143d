/** Polygons in which a rental may end. */
import { insideAny } from "@kerbside/immobiliser";
import { test } from "uvu";
import * as assert from "uvu/assert";

const at = (latitude: number, longitude: number) => ({ latitude, longitude });
const SQUARE = [at(48, 11), at(48, 12), at(49, 12), at(49, 11)];
/** An L: the notch is in the north-east. */
const ELL = [at(0, 0), at(0, 2), at(1, 2), at(1, 1), at(2, 1), at(2, 0)];
/** Stands on its tip; its other tips are on the point's own meridian and parallel. */
const DIAMOND = [at(0, -1), at(1, 0), at(0, 1), at(-1, 0)];
/** Rises by one degree for four to the east. */
const SLOPE = [at(10, 20), at(11, 24), at(10, 24)];
const ACROSS = [at(0, 179), at(1, -177), at(0, -177)];
/** 179.5 degrees wide, across the 180th meridian. */
const HALF = [at(-10, 90.3), at(-10, -90.2), at(10, -90.2), at(10, 90.3)];
const FIJI = [at(-19, 179), at(-19, -179), at(-17, -179), at(-17, 179)];

const ROWS = [
  { why: "in the middle", zones: [SQUARE], where: at(48.5, 11.5), inside: true },
  { why: "north of it", zones: [SQUARE], where: at(49.1, 11.5), inside: false },
  { why: "south of it", zones: [SQUARE], where: at(47.9, 11.5), inside: false },
  { why: "east of it", zones: [SQUARE], where: at(48.5, 12.1), inside: false },
  { why: "in the second of two", zones: [FIJI, SQUARE], where: at(48.5, 11.5), inside: true },
  { why: "in the foot of the L", zones: [ELL], where: at(0.5, 1.5), inside: true },
  { why: "in its notch", zones: [ELL], where: at(1.5, 1.5), inside: false },
  { why: "across the 180th meridian, west", zones: [FIJI], where: at(-18, 179.5), inside: true },
  { why: "across the 180th meridian, east", zones: [FIJI], where: at(-18, -179.5), inside: true },
  { why: "the other side of the world", zones: [FIJI], where: at(-18, 0), inside: false },
  { why: "just east of its western edge", zones: [SQUARE], where: at(48.5, 11.1), inside: true },
  { why: "just west of it", zones: [SQUARE], where: at(48.5, 10.9), inside: false },
  { why: "just west of its eastern edge", zones: [SQUARE], where: at(48.5, 11.9), inside: true },
  { why: "on its northern edge it is out", zones: [SQUARE], where: at(49, 11.5), inside: false },
  { why: "on its southern edge it is in", zones: [SQUARE], where: at(48, 11.5), inside: true },
  { why: "under the tip of a diamond", zones: [DIAMOND], where: at(0.5, 0), inside: true },
  { why: "above it", zones: [DIAMOND], where: at(1.5, 0), inside: false },
  { why: "under all of it", zones: [DIAMOND], where: at(-1.5, 0), inside: false },
  { why: "under a slope", zones: [SLOPE], where: at(10.2, 21), inside: true },
  { why: "above it", zones: [SLOPE], where: at(10.3, 21), inside: false },
  { why: "under its higher end", zones: [SLOPE], where: at(10.7, 23), inside: true },
  { why: "above its higher end", zones: [SLOPE], where: at(10.8, 23), inside: false },
  { why: "under a slope across the 180th", zones: [ACROSS], where: at(0.2, -180), inside: true },
  { why: "above it", zones: [ACROSS], where: at(0.3, -180), inside: false },
  { why: "in the half of the world", zones: [HALF], where: at(0, 179), inside: true },
  { why: "in the other half", zones: [HALF], where: at(0, 0), inside: false },
  { why: "no zones", zones: [], where: at(0, 0), inside: false },
  { why: "in a triangle", zones: [SQUARE.slice(0, 3)], where: at(48.2, 11.5), inside: true },
  { why: "a corner holds nothing", zones: [[at(48, 11)]], where: at(48, 11), inside: false },
  { why: "a zone without corners holds nothing", zones: [[]], where: at(0, 0), inside: false },
  {
    why: "two corners hold nothing",
    zones: [SQUARE.slice(0, 2)],
    where: at(48, 11.5),
    inside: false,
  },
];
for (const { why, zones, where, inside } of ROWS) {
  test(why, () => assert.is(insideAny(zones, where), inside));
}

test.run();
