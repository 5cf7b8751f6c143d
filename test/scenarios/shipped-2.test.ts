/** A part of the shipped scenarios. */
import { test } from "uvu";
import { registerShard } from "./play-all.ts";

registerShard(1);
test.run();
