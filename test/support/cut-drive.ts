/** A drive that something cuts in its middle, and what has to be in the store once it has come through. */
import * as assert from "uvu/assert";
import { holesAndDoubles, type Row, type World } from "./world.ts";

/** Long enough to be cut in the middle. */
export const DRIVE_S = 8;

export const kinds = (rows: readonly Row[], kind: string): readonly Row[] =>
  rows.filter((row) => row["kind"] === kind);

/** Waits until the drive's end is in the store, then checks that the numbers have no hole and no double. */
export async function settled(world: World, trips: number): Promise<readonly Row[]> {
  let rows: readonly Row[] = [];
  await world.until(`${trips} trips in the store, no holes`, async () => {
    rows = await world.rows();
    return kinds(rows, "trip.ended").length >= trips && holesAndDoubles(rows).length === 0;
  });
  const listed = await world.listed();
  assert.equal(holesAndDoubles(listed), []);
  assert.ok(listed.length >= rows.length, "the command line lists what the API does");
  return listed;
}
