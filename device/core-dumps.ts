/**
 * A crash leaves no memory behind: keys and events of open segments are in it, and a core dump would put them on the disk
 * (P-30). Node cannot set `RLIMIT_CORE`, but the kernel lets a process say what of it may be dumped, and nothing is: core(5),
 * "Controlling which mappings are written to the core dump". What it starts takes that over. To be imported first of all.
 */
import { writeFileSync } from "node:fs";

try {
  writeFileSync("/proc/self/coredump_filter", "0");
} catch {
  // A kernel without core dumps has no such file.
}
