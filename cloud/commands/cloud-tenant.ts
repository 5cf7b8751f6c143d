/** A tenant as the API and the commands see it. */
import type { AgreedTerms, TenantStore } from "@kerbside/protocol";

export type CloudTenant = { readonly store: TenantStore } & AgreedTerms;
