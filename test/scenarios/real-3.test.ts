/** In real time: wrong-card. */
import { test } from "uvu";
import { registerReal } from "./play-real.ts";

registerReal("wrong-card");
test.run();
