/** In real time: one-booking. */
import { test } from "uvu";
import { registerReal } from "./play-real.ts";

registerReal("one-booking");
test.run();
