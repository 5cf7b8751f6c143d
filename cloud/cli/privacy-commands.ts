/** `privacy show|set`, `retention show|set|run`: how exactly and for how long a tenant keeps what its cars report. */
import {
  isPositionRule,
  POSITION_RULES,
  type PositionRule,
  RETENTION_CLASSES,
  RETENTION_DAYS,
  RETENTION_NAMES,
  type RetentionClass,
  type RetentionTerms,
} from "@kerbside/protocol";
import { type Command, type Input, TENANT_OPTIONS, UsageError } from "./command.ts";
import { byOperator, withTenant } from "./open.ts";

const RULES = POSITION_RULES.join(", ");
const DAYS_WORDS = `${RETENTION_DAYS.min} to ${RETENTION_DAYS.max}; kept where it is left out`;

export const PRIVACY_COMMANDS: readonly Command[] = [
  {
    name: "privacy show",
    summary: "Says how exactly positions are kept.",
    options: TENANT_OPTIONS,
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const policy = await store.privacy.positions();
        input.print(policy, `rented: ${policy.rented}, free: ${policy.free}`);
        return 0;
      }),
  },
  {
    name: "privacy set",
    summary: "Says how exactly positions are kept, of what comes in from now on.",
    options: {
      ...TENANT_OPTIONS,
      rented: { value: "RULE", required: true, doc: `while the car is booked: ${RULES}` },
      free: { value: "RULE", required: true, doc: `else: ${RULES}` },
    },
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const policy = { rented: ruleOf(input, "rented"), free: ruleOf(input, "free") };
        const audit = byOperator(input, "privacy.set", `tenant:${store.tenant}`);
        await store.privacy.setPositions(policy, audit);
        input.print(policy, `rented: ${policy.rented}, free: ${policy.free}`);
        return 0;
      }),
  },
  {
    name: "retention show",
    summary: "Says how long what the cars report is kept, by class, and how much is due.",
    options: TENANT_OPTIONS,
    run: (input) =>
      withTenant(input, async ({ store: { retention } }) => {
        const [terms, due] = [await retention.terms(), await retention.due()];
        input.print({ ...terms, due }, `${termsWords(terms)}; segments that are due: ${due}`);
        return 0;
      }),
  },
  {
    name: "retention set",
    summary: "Says how long what the cars report is kept, by class: instead of all terms before.",
    options: {
      ...TENANT_OPTIONS,
      positions: { value: "DAYS", doc: `${RETENTION_CLASSES.positions.doc}; ${DAYS_WORDS}` },
      personal: { value: "DAYS", doc: `${RETENTION_CLASSES.personal.doc}; ${DAYS_WORDS}` },
    },
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const terms = Object.fromEntries(
          RETENTION_NAMES.flatMap((name) => {
            const days = daysOf(input, name);
            return days === undefined ? [] : [[name, days] as const];
          }),
        );
        const audit = byOperator(input, "retention.set", `tenant:${store.tenant}`);
        await store.retention.setTerms(terms, audit);
        input.print(terms, termsWords(terms));
        return 0;
      }),
  },
  {
    name: "retention run",
    summary: "Lets go now what is due; a running cloud does so each hour.",
    options: TENANT_OPTIONS,
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const segments = await store.retention.sweep();
        input.print({ segments }, `segments that were let go: ${segments}`);
        return 0;
      }),
  },
];

/** Throws UsageError. */
function daysOf(input: Input, name: RetentionClass): number | undefined {
  if (input.optional(name) === undefined) return undefined;
  return input.integer(name, RETENTION_DAYS.min, RETENTION_DAYS.max);
}

function termsWords(terms: RetentionTerms): string {
  return RETENTION_NAMES.map((name) => {
    const days = terms[name];
    return `${name}: ${days === undefined ? "kept" : `${days} days`}`;
  }).join(", ");
}

function ruleOf(input: Input, name: string): PositionRule {
  const rule = input.text(name);
  if (!isPositionRule(rule)) throw new UsageError(`--${name}: expected one of ${RULES}`);
  return rule;
}
