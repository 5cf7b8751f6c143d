/** The operators on this platform, for who runs it: ordered, bounded, taken away. Not a tenant's own routes. */
import {
  type AuditEntry,
  monthOf,
  type PlatformDesk,
  type PlatformTenant,
  ProtocolError,
  QUOTA_NAMES,
  QUOTAS,
  type QuotaName,
  quotasOf,
  REGION_DEFAULT,
  regionOf,
  type TenantId,
  tenantId,
} from "@kerbside/protocol";
import { type TSchema, Type } from "typebox";
import { pageOf } from "./schemas.ts";
import { iso } from "./views.ts";

export type PlatformCall = {
  readonly desk: PlatformDesk;
  readonly caller: { readonly subject: string };
  readonly params: Readonly<Record<string, string>>;
  /** Validated by the row's schema. */
  readonly body: unknown;
  readonly from: string;
  readonly nowMs: number;
};
export type PlatformRoute = {
  readonly method: "GET" | "POST" | "PATCH";
  /** Under `/v1/platform`. */
  readonly path: string;
  readonly operation: string;
  readonly summary: string;
  readonly body?: TSchema;
  readonly answers: Readonly<Record<number, TSchema>>;
  readonly handle: (
    call: PlatformCall,
  ) => Promise<{ readonly status: number; readonly body: unknown }>;
};

const strict = { additionalProperties: false } as const;
const said = (description: string): TSchema => Type.String({ description });
const quotaFields = (wrap: (schema: TSchema) => TSchema): Record<QuotaName, TSchema> => {
  const one = (name: QuotaName): TSchema =>
    wrap(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: `${QUOTAS[name].doc}; ${QUOTAS[name].otherwise} where nothing is said`,
        examples: [QUOTAS[name].otherwise],
      }),
    );
  return {
    cars: one("cars"),
    people: one("people"),
    requestsPerMin: one("requestsPerMin"),
    storedBytes: one("storedBytes"),
    ingestBytesPerDay: one("ingestBytesPerDay"),
  };
};
const SomeQuotasSchema = Type.Object(
  quotaFields((schema) => Type.Optional(schema)),
  strict,
);
const ID = Type.String({
  pattern: "^[a-z0-9][a-z0-9-]{0,39}$",
  description: "the operator's id, for good",
});
const REGION = Type.String({
  pattern: "^[a-z][a-z0-9-]{0,31}$",
  description: "where its data is processed, for good",
  examples: ["eu-central"],
});
const OrderSchema = Type.Object(
  {
    tenant: ID,
    region: Type.Optional(REGION),
    quotas: Type.Optional(SomeQuotasSchema),
  },
  strict,
);
const TenantSchema = Type.Object(
  {
    tenant: ID,
    region: REGION,
    state: Type.Unsafe<string>({
      type: "string",
      enum: ["ready", "ordered", "failed"],
      description: "ordered: its keys are still to be made",
    }),
    since: said("since when"),
    why: Type.Optional(said("why it failed: a code of the table of errors")),
    quotas: Type.Object(
      quotaFields((schema) => schema),
      strict,
    ),
  },
  strict,
);
const much = (description: string, example: number): TSchema =>
  Type.Optional(Type.Number({ description, examples: [example] }));
const BenchmarkSchema = Type.Object(
  {
    region: REGION,
    month: Type.String({ description: "the month (UTC)", examples: ["2026-10"] }),
    tripsPerCar: much("of cars that drove", 41),
    metresPerTrip: much("where it is known", 9100),
    unlockedPercent: much("of unlocks that were asked for", 97),
  },
  { ...strict, description: "what is not there is of fewer than five tenants, or mostly of one" },
);
const RemoveSchema = Type.Object(
  { tenant: Type.String({ description: "its id once more, because it cannot be brought back" }) },
  strict,
);
const CertificateSchema = Type.Object(
  {
    statement: said("what was erased, as JSON"),
    signature: said("over it, by the platform, hexadecimal"),
    publicKey: said("to verify it with, hexadecimal"),
  },
  strict,
);

type Order = {
  readonly tenant: string;
  readonly region?: string;
  readonly quotas?: Partial<Record<QuotaName, number>>;
};

function view({ sinceMs, why, ...tenant }: PlatformTenant): Readonly<Record<string, unknown>> {
  return { ...tenant, since: iso(sinceMs), ...(why === undefined ? {} : { why }) };
}

function audit({ caller, from }: PlatformCall, action: string, id: string): AuditEntry {
  return { actor: caller.subject, action, subject: `tenant:${id}`, outcome: "done", from };
}

/** Throws ProtocolError `not_found`. */
function named({ params }: PlatformCall): TenantId {
  try {
    return tenantId(params["operator"]);
  } catch (cause) {
    throw new ProtocolError("not_found", "tenant: there is none such", { cause });
  }
}

async function one(call: PlatformCall): Promise<PlatformTenant> {
  const id = named(call);
  const found = (await call.desk.tenants()).find(({ tenant }) => tenant === id);
  if (found === undefined) throw new ProtocolError("not_found", "tenant: there is none such");
  return found;
}

export const PLATFORM_ROUTES: readonly PlatformRoute[] = [
  {
    ...{ method: "GET", path: "/tenants", operation: "listTenants" },
    summary: "The operators on this platform, by id, and those that are ordered",
    answers: { 200: pageOf(TenantSchema) },
    handle: async ({ desk }) => ({
      status: 200,
      body: { items: (await desk.tenants()).map(view) },
    }),
  },
  {
    ...{ method: "POST", path: "/tenants", operation: "orderTenant" },
    summary: "Have an operator made; its keys need those of all services, so it takes a moment",
    body: OrderSchema,
    answers: { 202: TenantSchema },
    handle: async (call) => {
      // By the row's schema.
      const { tenant, region = REGION_DEFAULT, quotas = {} } = call.body as Order;
      const terms = { region: regionOf(region), quotas: quotasOf(quotas) };
      await call.desk.order(tenantId(tenant), terms, audit(call, "tenant.order", tenant));
      const ordered = await one({ ...call, params: { operator: tenant } });
      return { status: 202, body: view(ordered) };
    },
  },
  {
    ...{ method: "GET", path: "/tenants/:operator", operation: "getTenant" },
    summary: "One operator, and what is agreed with it",
    answers: { 200: TenantSchema },
    handle: async (call) => ({ status: 200, body: view(await one(call)) }),
  },
  {
    ...{ method: "PATCH", path: "/tenants/:operator", operation: "agreeQuotas" },
    summary: "Other bounds for an operator; those that are left out stay",
    body: SomeQuotasSchema,
    answers: { 200: TenantSchema },
    handle: async (call) => {
      const id = named(call);
      // By the row's schema.
      const quotas = call.body as Partial<Record<QuotaName, number>>;
      const names = QUOTA_NAMES.filter((name) => quotas[name] !== undefined);
      const reason = names.map((name) => `${name} ${quotas[name]}`).join(", ");
      const entry = { ...audit(call, "tenant.quota", id), reason };
      return { status: 200, body: view(await call.desk.agree(id, quotas, entry)) };
    },
  },
  {
    ...{ method: "POST", path: "/tenants/:operator/remove", operation: "removeTenant" },
    summary: "Take an operator away with all it has, for good; answers the certificate of it",
    body: RemoveSchema,
    answers: { 200: CertificateSchema },
    handle: async (call) => {
      const id = named(call);
      // By the row's schema.
      const { tenant } = call.body as { readonly tenant: string };
      if (tenant !== id)
        throw new ProtocolError("malformed", "tenant: expected the id of the path once more");
      return { status: 200, body: await call.desk.remove(id, audit(call, "tenant.remove", id)) };
    },
  },
  {
    ...{ method: "GET", path: "/benchmarks/:region/:month", operation: "getBenchmark" },
    summary: "How the operators of a region fared in a month that is over, together",
    answers: { 200: BenchmarkSchema },
    handle: async ({ desk, caller, params, from, nowMs }) => {
      const region = regionOf(params["region"] ?? "");
      const month = monthOf(params["month"] ?? "", nowMs);
      const subject = `region:${region}`;
      const what = { actor: caller.subject, action: "benchmark.read", subject, from } as const;
      const entry: AuditEntry = { ...what, outcome: "done", reason: month.month };
      return { status: 200, body: await desk.benchmark(region, month, entry) };
    },
  },
];
