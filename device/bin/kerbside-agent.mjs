#!/usr/bin/env node
// Starts the program under Node 24, whatever Node is first on the caller's PATH.
import { launch } from "../../scripts/launch.mjs";

await launch(new URL("../main.ts", import.meta.url));
