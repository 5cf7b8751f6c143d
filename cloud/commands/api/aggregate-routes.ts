/** Analytics: aggregates of a month over at least five people, cars and trips (P-43), and nothing finer. */
import { setImmediate } from "node:timers/promises";
import { aggregatesOf, gather, monthOf } from "@kerbside/protocol";
import { type TSchema, Type } from "typebox";
import type { Route } from "./route.ts";

const strict = { additionalProperties: false } as const;
const AggregatesSchema: TSchema = Type.Object(
  {
    month: Type.String({ description: "the month (UTC)", examples: ["2026-10"] }),
    trips: Type.Optional(
      Type.Integer({ description: "that ended in it, rounded down to fives", examples: [1240] }),
    ),
    distanceM: Type.Optional(
      Type.Number({ description: "of those, to two digits", examples: [18_000_000] }),
    ),
    unlocks: Type.Optional(
      Type.Array(
        Type.Object(
          {
            outcome: Type.String({
              description: "executed, or the end and why; other: all that were too few",
              examples: ["refused.doors_closed"],
            }),
            count: Type.Integer({ description: "rounded down to fives", examples: [25] }),
          },
          strict,
        ),
      ),
    ),
  },
  { ...strict, description: "what is not there is of fewer than five, or mostly of one" },
);

export const AGGREGATE_ROUTES: readonly Route[] = [
  {
    ...{ method: "GET", path: "/aggregates/:month", operation: "getAggregates" },
    summary: "Trips, distance and unlocks of a month that is over, all cars together",
    ...{ scopes: ["analytics:read"], tag: "analytics" },
    // Nobody's data; but who counts what is in the trail too, so that asking around leaves a trace.
    personal: true,
    answers: { 200: AggregatesSchema },
    handle: async ({ store, params, parts }) => {
      const month = monthOf(params["month"] ?? "", parts.clock.wallMs());
      const body = aggregatesOf(month.month, await gather(store, month, setImmediate));
      return { status: 200, body };
    },
  },
];
