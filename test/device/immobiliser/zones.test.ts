/** Polygons in which a rental may end. */
import { insideAny } from "@kerbside/immobiliser";
import { test } from "uvu";
import * as assert from "uvu/assert";

const at = (latitude: number, longitude: number) => ({ latitude, longitude });
const SQUARE = [at(48, 11), at(48, 12), at(49, 12), at(49, 11)];
/** An L: the notch is in the north-east. */
const ELL = [at(0, 0), at(0, 2), at(1, 2), at(1, 1), at(2, 1), at(2, 0)];
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
  { why: "no zones", zones: [], where: at(0, 0), inside: false },
  { why: "in a triangle", zones: [SQUARE.slice(0, 3)], where: at(48.2, 11.5), inside: true },
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
