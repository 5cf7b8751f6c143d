/**
 * Tests that need a Debian package: run where it is installed, skipped by name where it is missing, and failed where
 * it is missing although KERBSIDE_TEST_ALL=1 says that everything must be there.
 */
import { existsSync } from "node:fs";
import { test } from "uvu";

/** A file that shows that the package is installed. */
const PACKAGES = {
  chromium: "/usr/bin/chromium",
  "can-utils": "/usr/bin/candump",
  "user-mode-linux": "/usr/bin/linux.uml",
  socat: "/usr/bin/socat",
  strace: "/usr/bin/strace",
  kmod: "/usr/bin/kmod",
  iproute2: "/usr/sbin/ip",
  mosquitto: "/usr/sbin/mosquitto",
  "g++": "/usr/bin/g++",
} as const;
export type DebianPackage = keyof typeof PACKAGES;

type Register = (name: string, body: () => Promise<void> | void) => void;

export function missingPackages(...packages: readonly DebianPackage[]): DebianPackage[] {
  return packages.filter((name) => !existsSync(PACKAGES[name]));
}

/** `test` itself, or what registers a skip (a failure under KERBSIDE_TEST_ALL=1) naming what is missing. */
export function needs(...packages: readonly DebianPackage[]): Register {
  const missing = missingPackages(...packages);
  if (missing.length === 0) return (name, body) => test(name, body);
  const why = `needs ${missing.join(", ")}`;
  if (process.env["KERBSIDE_TEST_ALL"] === "1") {
    return (name) =>
      test(name, () => {
        throw new Error(`${why}, which is not installed, and KERBSIDE_TEST_ALL=1`);
      });
  }
  return (name) => {
    process.stdout.write(`# skip ${name}: ${why}\n`);
    test.skip(name);
  };
}
