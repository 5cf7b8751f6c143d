/** In real time: jam-and-retry. */
import { test } from "uvu";
import { registerReal } from "./play-real.ts";

registerReal("jam-and-retry");
test.run();
