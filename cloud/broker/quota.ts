/** What a broker does with a message that is above its tenant's quota. */
import { ProtocolError, type Topic } from "@kerbside/protocol";

/**
 * Answered as if it had been taken: a PUBACK proves nothing, and the car keeps what no mark of ours covers. Without one
 * the car's connection would be ended, and commands, which need it, with it. Throws any other failure again.
 */
export function leaveToCar(topic: Topic, error: unknown): void {
  const isOverQuota = error instanceof ProtocolError && error.code === "limit_reached";
  if (topic.channel !== "up" || !isOverQuota) throw error;
}
