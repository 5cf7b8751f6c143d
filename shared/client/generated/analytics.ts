/** Of the API, what has the tag "analytics": made by `node scripts/client.ts` from the API's description. */

export type Aggregates = {
  /** the month (UTC) */ readonly month: string;
  /** that ended in it, rounded down to fives */ readonly trips?: number;
  /** of those, to two digits */ readonly distanceM?: number;
  readonly unlocks?: readonly ({
    /** executed, or the end and why; other: all that were too few */ readonly outcome: string;
    /** rounded down to fives */ readonly count: number;
  })[];
};

export type AnalyticsOperations = {
  /** Trips, distance and unlocks of a month that is over, all cars together. */
  readonly getAggregates: {
    readonly ask: {
      readonly path: { readonly month: string; };
    };
    readonly answer: Aggregates;
  };
};
