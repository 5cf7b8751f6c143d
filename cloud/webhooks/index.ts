/**
 * Sends what changed to the addresses that tenants gave for it: signed as Standard Webhooks has it, to public addresses
 * only, again and again until it is taken. What is to be sent and what became of it lies in the tenants' stores; this
 * package holds nothing that a crash could take away.
 */
export { type AddressRule, addressRule, checkAddress } from "./address.ts";
export { messageOf } from "./message.ts";
export { nextStep } from "./retry.ts";
export { type Outcome, type Resolve, type Send, sender } from "./send.ts";
export { signatures } from "./signature.ts";
export { type Delivered, WEBHOOK_LIMITS, type WebhookLimits, WebhookWorker } from "./worker.ts";
