/**
 * A machine whose clock stands at 1970, as a module's does whose clock has no battery: a few lines of C between the
 * program and its C library, so that JavaScript, OpenSSL and everything else in the process are told the same. The clocks
 * that only run, and never are set, are the machine's own.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const SOURCE = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == 0) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(id, at);
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) at->tv_sec -= BEHIND_S;
  return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at != 0) *at = now.tv_sec;
  return now.tv_sec;
}
`;

/** What a program is started with to be in the first minute of 1970 now. The files are made in `dir`. */
export function at1970(dir: string): { readonly LD_PRELOAD: string } {
  const [source, library] = [join(dir, "clock.c"), join(dir, "clock.so")];
  writeFileSync(source, SOURCE);
  const behindS = Math.floor(Date.now() / 1000);
  const options = ["-shared", "-fPIC", "-x", "c", `-DBEHIND_S=${behindS}LL`];
  // The compiler of C++ is what the tests' packages bring along.
  execFileSync("/usr/bin/g++", [...options, "-o", library, source, "-ldl"]);
  return { LD_PRELOAD: library };
}
