/** What a technician asks at the car: the lock controller's own report, over a line that nobody else holds. */
import { LockDriver, serialLink } from "@kerbside/immobiliser";
import { type Clock, type Log, ProtocolError, type Random } from "@kerbside/protocol";
import type { AgentConfig } from "./config.ts";
import { moduleIdOf, readPairingKey } from "./locks.ts";

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
  const answered = Promise.withResolvers<Readonly<Record<string, string | number | boolean>>>();
  const driver = new LockDriver({
    link: serialLink(config.lock.path, config.lock.baudRate),
    pairingKey: readPairingKey(config.lock.pairingKeyFile),
    moduleId: moduleIdOf(config),
    clock,
    random,
    log,
    onReport: ({ type: _type, ...report }) => answered.resolve(report),
    onLink: () => undefined,
  });
  const late = clock.after(WAIT_MS_MAX, () => {
    const words = `${config.lock.path}: no lock controller with this pairing key answers`;
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
