/** All fuzz targets. A package's targets are a file beside this one, and a line here. */
import { canTargets } from "./can-targets.ts";
import { pushTargets } from "./push-targets.ts";
import { signalTargets } from "./signal-targets.ts";
import type { FuzzTarget } from "./target.ts";

export const TARGETS: readonly FuzzTarget[] = [...canTargets, ...signalTargets, ...pushTargets];
