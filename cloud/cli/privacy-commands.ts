/** `privacy show|set`: how exactly a tenant keeps positions. */
import { isPositionRule, POSITION_RULES, type PositionRule } from "@kerbside/protocol";
import {
  type Command,
  DATA_OPTION,
  type Input,
  JSON_OPTION,
  TENANT_OPTION,
  UsageError,
} from "./command.ts";
import { byOperator, withTenant } from "./open.ts";

const common = { data: DATA_OPTION, json: JSON_OPTION, tenant: TENANT_OPTION };
const RULES = POSITION_RULES.join(", ");

export const PRIVACY_COMMANDS: readonly Command[] = [
  {
    name: "privacy show",
    summary: "Says how exactly positions are kept.",
    options: common,
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
      ...common,
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
];

function ruleOf(input: Input, name: string): PositionRule {
  const rule = input.text(name);
  if (!isPositionRule(rule)) throw new UsageError(`--${name}: expected one of ${RULES}`);
  return rule;
}
