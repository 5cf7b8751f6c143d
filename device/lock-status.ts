/** What a technician asks at the car: the lock controller's own report, over a line that nobody else holds. */
import { LockDriver, serialLink } from "@kerbside/immobiliser";
import { type Clock, type Log, ProtocolError, type Random } from "@kerbside/protocol";
import type { AgentConfig } from "./config.ts";
import { moduleIdOf, readPairingKey } from "./lock-hardware.ts";

const WAIT_MS_MAX = 5000;

/** Opens the line, waits for a report, closes it. Throws ProtocolError `unavailable` where none comes. */
export async function lockStatus({
  config,
  clock,
  random,
  log,
}: {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}): Promise<Readonly<Record<string, string | number | boolean>>> {
  const { lock } = config;
  if (lock.driver === "can") {
    throw new ProtocolError(
      "unavailable",
      "this car is locked by CAN: there is no lock controller",
    );
  }
  const answered = Promise.withResolvers<Readonly<Record<string, string | number | boolean>>>();
  const driver = new LockDriver({
    link: serialLink(lock.path, lock.baudRate),
    pairingKey: readPairingKey(lock.pairingKeyFile),
    moduleId: moduleIdOf(config),
    clock,
    random,
    log,
    onSeen: (seen) => {
      if (seen.type !== "report") return;
      const { type: _type, ...report } = seen.report;
      answered.resolve(report);
    },
  });
  const late = clock.after(WAIT_MS_MAX, () => {
    const words = `${lock.path}: no lock controller with this pairing key answers`;
    answered.reject(new ProtocolError("unavailable", words));
  });
  driver.start();
  try {
    return await answered.promise;
  } finally {
    late.cancel();
    driver.stop();
  }
}
