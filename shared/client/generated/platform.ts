/** Of the API, what has the tag "platform": made by `node scripts/client.ts` from the API's description. */
import type { Nothing, Page } from "../page.ts";

export type AgreeQuotasBody = {
  /** cars enrolled, revoked ones apart; 20000 where nothing is said */ readonly cars?: number;
  /** people kept, erased ones apart; 1000000 where nothing is said */ readonly people?: number;
  /** calls of the API each minute; one account may take half; 30000 where nothing is said */ readonly requestsPerMin?: number;
  /** bytes in its directory; 500000000000 where nothing is said */ readonly storedBytes?: number;
  /** bytes from its cars each day (UTC); 50000000000 where nothing is said */ readonly ingestBytesPerDay?: number;
};

export type Benchmark = {
  /** where its data is processed, for good */ readonly region: string;
  /** the month (UTC) */ readonly month: string;
  /** of cars that drove */ readonly tripsPerCar?: number;
  /** where it is known */ readonly metresPerTrip?: number;
  /** of unlocks that were asked for */ readonly unlockedPercent?: number;
};

export type OrderTenantBody = {
  /** the operator's id, for good */ readonly tenant: string;
  /** where its data is processed, for good */ readonly region?: string;
  readonly quotas?: {
    /** cars enrolled, revoked ones apart; 20000 where nothing is said */ readonly cars?: number;
    /** people kept, erased ones apart; 1000000 where nothing is said */ readonly people?: number;
    /** calls of the API each minute; one account may take half; 30000 where nothing is said */ readonly requestsPerMin?: number;
    /** bytes in its directory; 500000000000 where nothing is said */ readonly storedBytes?: number;
    /** bytes from its cars each day (UTC); 50000000000 where nothing is said */ readonly ingestBytesPerDay?: number;
  };
};

export type RemoveTenantAnswer = {
  /** what was erased, as JSON */ readonly statement: string;
  /** over it, by the platform, hexadecimal */ readonly signature: string;
  /** to verify it with, hexadecimal */ readonly publicKey: string;
};

export type RemoveTenantBody = {
  /** its id once more, because it cannot be brought back */ readonly tenant: string;
};

export type Tenant = {
  /** the operator's id, for good */ readonly tenant: string;
  /** where its data is processed, for good */ readonly region: string;
  /** ordered: its keys are still to be made */ readonly state: "ready" | "ordered" | "failed";
  /** since when */ readonly since: string;
  /** why it failed: a code of the table of errors */ readonly why?: string;
  readonly quotas: {
    /** cars enrolled, revoked ones apart; 20000 where nothing is said */ readonly cars: number;
    /** people kept, erased ones apart; 1000000 where nothing is said */ readonly people: number;
    /** calls of the API each minute; one account may take half; 30000 where nothing is said */ readonly requestsPerMin: number;
    /** bytes in its directory; 500000000000 where nothing is said */ readonly storedBytes: number;
    /** bytes from its cars each day (UTC); 50000000000 where nothing is said */ readonly ingestBytesPerDay: number;
  };
};

export type PlatformOperations = {
  /** Other bounds for an operator; those that are left out stay. */
  readonly agreeQuotas: {
    readonly ask: {
      readonly path: { readonly operator: string; };
      readonly body?: AgreeQuotasBody;
    };
    readonly answer: Tenant;
  };
  /** How the operators of a region fared in a month that is over, together. */
  readonly getBenchmark: {
    readonly ask: {
      readonly path: { readonly region: string; readonly month: string; };
    };
    readonly answer: Benchmark;
  };
  /** One operator, and what is agreed with it. */
  readonly getTenant: {
    readonly ask: {
      readonly path: { readonly operator: string; };
    };
    readonly answer: Tenant;
  };
  /** The operators on this platform, by id, and those that are ordered. */
  readonly listTenants: {
    readonly ask: Nothing;
    readonly answer: Page<Tenant>;
  };
  /** Have an operator made; its keys need those of all services, so it takes a moment. */
  readonly orderTenant: {
    readonly ask: {
      readonly body: OrderTenantBody;
    };
    readonly answer: Tenant;
  };
  /** Take an operator away with all it has, for good; answers the certificate of it. */
  readonly removeTenant: {
    readonly ask: {
      readonly path: { readonly operator: string; };
      readonly body: RemoveTenantBody;
    };
    readonly answer: RemoveTenantAnswer;
  };
};
