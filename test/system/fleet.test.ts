/** A small fleet against a whole cloud, by the command lines that anybody calls. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { TENANT } from "../../scripts/demo/parts.ts";
import { runProgram } from "../../scripts/demo/processes.ts";
import { holesAndDoubles, World } from "../support/world.ts";

const CARS = 12;

test("a fleet joins, drives through outages, and everything it said is in the store once", async () => {
  await using world = await World.cloudOnly();
  const { paths, ports } = world;
  const tokens = await runProgram("kerbside-cloud", [
    ...["vehicle", "enrol", "--tenant", TENANT, "--vehicle", "light", "--count", `${CARS}`],
    ...["--profile", "kerbside-sim", "--data", paths.cloud, "--dev", "--json"],
  ]);
  assert.is(new Set(tokens.map(({ token }) => token)).size, CARS);
  const file = join(paths.data, "tokens");
  writeFileSync(file, tokens.map((line) => JSON.stringify(line)).join("\n"));
  const lines = await runProgram("kerbside-sim", [
    ...["fleet", "--cars", `${CARS}`, "--data", join(paths.data, "fleet"), "--json"],
    ...["--url", `https://localhost:${ports.https}`, "--ca", paths.ca, "--tokens", file],
    ...["--seconds", "8", "--settle", "45", "--day", "always", "--outages", "0.2", "--hz", "2"],
    ...["--track-s", "2", "--every", "2"],
  ]);
  const end = lines.at(-1) ?? {};
  assert.is(end["end"], true);
  assert.is(end["eventsLost"], 0, JSON.stringify(end));
  assert.is(end["eventsWaiting"], 0, JSON.stringify(end));
  assert.ok(Number(end["eventsStored"]) > CARS * 8, JSON.stringify(end));
  const rows = await world.listed();
  assert.is(rows.length, end["eventsStored"]);
  assert.equal(holesAndDoubles(rows), []);
  assert.is(new Set(rows.map((row) => row["vehicle"])).size, CARS);
});

test.run();
