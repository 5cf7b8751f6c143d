/**
 * Who somebody is: the development certificate authority (a root, one intermediate a tenant, certificates of cars and
 * of servers), enrolment of cars, the identity that a car's certificate proves, the embedded OAuth2 issuer and the
 * verifier of access tokens from it or any other configured issuer. It keeps no state of its own: keys come from the
 * vaults and records from the ports that it is given.
 */
export { type Answers, LINK_EVERY_MS, type ResetPorts, Resets } from "./account-reset.ts";
export {
  type Account,
  FAILURES_MAX,
  isAlive,
  LOCK_MS,
  RESET_FAILURES_MAX,
  RESET_MS,
} from "./account-rules.ts";
export { type AccountSeal, accountSeal } from "./account-seal.ts";
export {
  type AccountPorts,
  Accounts,
  type NewAccount,
  type SignedIn,
  type Who,
} from "./accounts.ts";
export { AttemptLimiter, type AttemptLimits } from "./attempts.ts";
export {
  openPlatformAuthority,
  openTenantAuthority,
  type PlatformAuthority,
  type TenantAuthority,
} from "./authority.ts";
export type { IssuedCertificate } from "./certificates.ts";
export {
  type EnrolmentPorts,
  type EnrolmentTenant,
  type EnrolmentTokens,
  enrol,
} from "./enrolment.ts";
export {
  type CarCertificate,
  type CarGateOptions,
  carGate,
  identifyCertificate,
} from "./identify.ts";
export {
  ISSUER_PATHS,
  type Issuer,
  type IssuerClient,
  type IssuerClients,
  type IssuerOptions,
  openIssuer,
} from "./issuer.ts";
export { type LinkSide, makeLinkCertificates } from "./link-certificates.ts";
export { livingAccounts, PERSON_SUBJECT } from "./living-accounts.ts";
export { type Mail, type SendMail, type SmtpOptions, smtpMail } from "./mail.ts";
export { networkOf } from "./network.ts";
export { PASSWORD_CHARS, passwordProblem } from "./passwords.ts";
export { PERSON_SCOPES, type PeopleOptions } from "./people-flows.ts";
export { rememberTokens } from "./remembered-tokens.ts";
export { certificateUsed, type RenewalPorts, renew } from "./renewal.ts";
export { codeAt, stepOf } from "./second-factor.ts";
export { verifierByIssuer } from "./several-issuers.ts";
export { newTenantKey, TENANT_KEY_SCOPES, tenantKeys } from "./tenant-keys.ts";
export { type TokenVerifierOptions, tokenVerifier } from "./token-verifier.ts";
