/** A part of the shipped scenarios: test.run() is in play-all.ts. */
import { playShard } from "./play-all.ts";

playShard(5);
