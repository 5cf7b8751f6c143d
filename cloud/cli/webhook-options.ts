/** How `serve` is told where webhooks may go. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseBlockList } from "../block-list.ts";
import type { WebhookWays } from "../node.ts";
import type { Input, Option } from "./command.ts";
import { asked } from "./open.ts";

export const WEBHOOK_OPTIONS: Readonly<Record<string, Option>> = {
  "webhook-networks": {
    value: "NET[,NET]",
    doc: "webhooks may go there too, besides public addresses (tests, private networks)",
  },
  "webhook-ca": {
    value: "FILE",
    doc: "authority of webhooks' receivers, PEM; default: the system's",
  },
};

/** Read here first, so that a mistake is told once. */
export function webhookWords(input: Input): readonly string[] {
  webhooksOf(input);
  const [networks, ca] = [input.optional("webhook-networks"), input.optional("webhook-ca")];
  return [
    ...(networks === undefined ? [] : ["--webhook-networks", networks]),
    ...(ca === undefined ? [] : ["--webhook-ca", resolve(ca)]),
  ];
}

/** Throws UsageError. */
export function webhooksOf(input: Input): WebhookWays {
  const [networks, ca] = [input.optional("webhook-networks"), input.optional("webhook-ca")];
  return {
    ...(networks === undefined
      ? {}
      : { networks: asked(() => parseBlockList(networks.replaceAll(",", "\n"))) }),
    ...(ca === undefined ? {} : { ca: readFileSync(ca, "utf8") }),
  };
}
