/** A system that is up. */
import type { Cloud, Paths, Sim } from "./parts.ts";

export type Running = { readonly paths: Paths; readonly cloud: Cloud; readonly sim: Sim };
