import type { X509Certificate } from "node:crypto";
import type { Address } from "@kerbside/protocol";

/** Who a certificate proves a car to be, and until when (Unix milliseconds). */
export type CarIdentity = Address & { readonly serial: string; readonly notAfterMs: number };

/**
 * Says whose certificate it is, by its issuer, its time and the record of the car. Asked at every connection, a
 * resumed one too, and again for every live one at a reload. Rejects where the car may not connect.
 */
export type IdentifyCar = (certificate: X509Certificate) => Promise<CarIdentity>;
