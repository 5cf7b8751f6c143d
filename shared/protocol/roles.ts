/**
 * Who may do what: each role with its scopes. People have one role, given with their account; backends are clients and
 * have scopes of their own, at most those of `backend`.
 */
export type RoleRow = {
  readonly doc: string;
  /** A role of people's accounts; otherwise one of clients. */
  readonly person: boolean;
  readonly scopes: readonly string[];
};

const SELF = "self";
const LOOK = ["vehicles:read", "bookings:read", "commands:read", "feed:read"] as const;

export const ROLES = {
  backend: {
    doc: "an operator's program",
    person: false,
    scopes: [
      ...LOOK,
      "events:read",
      "bookings:write",
      "commands:write",
      "people:read",
      "people:write",
      "payments:write",
      "webhooks:read",
      "webhooks:write",
      "files:read",
      "files:write",
      "analytics:read",
    ],
  },
  member: { doc: "a person who drives: sees their own data", person: true, scopes: [SELF] },
  operator: {
    doc: "an operator's staff: runs the cars",
    person: true,
    scopes: [
      SELF,
      ...LOOK,
      "events:read",
      "bookings:write",
      "commands:write",
      "commands:operate",
      "artefacts:read",
      "artefacts:write",
      "people:read",
      "files:read",
      "files:write",
      "support:ticket",
      "quarantine:read",
      "quarantine:redrive",
      "analytics:read",
    ],
  },
  support: {
    doc: "helps the operator: sees no personal data but by an approved ticket",
    person: true,
    scopes: [SELF, "vehicles:read", "commands:read", "support:request", "support:query"],
  },
  manager: {
    doc: "answers for the operator's people and data",
    person: true,
    scopes: [
      SELF,
      ...LOOK,
      "events:read",
      "people:read",
      "people:write",
      "people:erase",
      "files:read",
      "files:write",
      "privacy:write",
      "accounts:write",
      "webhooks:read",
      "webhooks:write",
      "request-keys:read",
      "request-keys:revoke",
      "support:ticket",
      "support:approve",
      "audit:read",
      "quarantine:read",
      "analytics:read",
    ],
  },
  auditor: {
    doc: "reads who did what",
    person: true,
    scopes: [SELF, "audit:read", "request-keys:read"],
  },
  platform: {
    doc: "runs the platform",
    person: false,
    scopes: ["platform:admin", "platform:metrics"],
  },
} as const satisfies Readonly<Record<string, RoleRow>>;
export type Role = keyof typeof ROLES;

export function isRole(value: unknown): value is Role {
  return typeof value === "string" && Object.hasOwn(ROLES, value);
}
