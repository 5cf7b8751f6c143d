/** A scheme is accepted whole, checked against the profile of the car it is for, or refused with every reason. */
import { isSignalName, type SignalName } from "@kerbside/protocol";
import type { Expression } from "../expression/index.ts";
import { type Checked, checkerOf, valueCheckerOf } from "../profile/check.ts";
import { type Profile, ProfileError, type ProfileProblem } from "../profile/index.ts";
import { type LockCause, lockRule, type TripMemory, tripRule } from "./car-rules.ts";
import { expressionOf, type Template, templateOf } from "./emit.ts";
import { changeRule, conditionRule, periodicRule } from "./generic-rules.ts";
import type { Emit, Rule, Scheme } from "./model.ts";
import type { RunningRule } from "./rule.ts";
import { envelopeSchema, RULE_SCHEMAS } from "./schema.ts";

/** What rules ask of the rest of the agent. */
export type CarContext = {
  /** Whether the store gives the signal. */
  readonly provides: (name: SignalName) => boolean;
  readonly lockCause?: LockCause;
  /** The booking that is open, if there is one. */
  readonly booking?: () => string | undefined;
  /** Without it a trip that is under way when the agent ends is not ended. */
  readonly trips?: TripMemory;
};

/** Makes the rule anew, with an empty memory. */
type Maker = (context: CarContext) => RunningRule;

export type CheckedScheme = {
  readonly scheme: Scheme;
  readonly rules: readonly Maker[];
};
export type SchemeCheck = {
  /** Undefined if an error is among the problems. */
  readonly checked: CheckedScheme | undefined;
  readonly problems: readonly ProfileProblem[];
};

const checkEnvelope = checkerOf<
  Omit<Scheme, "rules"> & { readonly rules: readonly { readonly on: string }[] }
>(envelopeSchema);
const checkRule = new Map(
  Object.entries(RULE_SCHEMAS).map(([on, schema]) => [on, valueCheckerOf<Rule>(schema)]),
);

function checkDocument(file: string, json: string | Uint8Array): Checked<Scheme> {
  const envelope = checkEnvelope(file, json);
  if (!envelope.ok) return envelope;
  const rules: Rule[] = [];
  const problems: ProfileProblem[] = [];
  for (const [i, rule] of envelope.value.rules.entries()) {
    const checked = checkRule.get(rule.on)?.(file, rule, `/rules/${i}`);
    if (checked?.ok === true) rules.push(checked.value);
    else problems.push(...(checked?.problems ?? []));
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, value: { ...envelope.value, rules } };
}

/**
 * Never throws for what is in it. That a car of this profile lacks a signal is a warning (its rule never fires):
 * one scheme serves many models.
 */
export function checkScheme(
  file: string,
  json: string | Uint8Array,
  profile: Pick<Profile, "signals" | "limits" | "obd">,
): SchemeCheck {
  const document = checkDocument(file, json);
  if (!document.ok) return { checked: undefined, problems: document.problems };
  const checker = new Checker(file, profile);
  const scheme = document.value;
  const names = new Set<string>();
  const rules = scheme.rules.flatMap((rule, i) => {
    if (names.has(rule.name)) checker.report(`/rules/${i}/name`, `${rule.name} is there twice`);
    names.add(rule.name);
    const maker = checker.rule(rule, scheme.name, `/rules/${i}`);
    return maker === undefined ? [] : [maker];
  });
  const { problems } = checker;
  const failed = problems.some(({ severity }) => severity === "error");
  return { checked: failed ? undefined : { scheme, rules }, problems };
}

/** Throws ProfileError. */
export function loadScheme(
  file: string,
  json: string | Uint8Array,
  profile: Pick<Profile, "signals" | "limits" | "obd">,
): CheckedScheme {
  const { checked, problems } = checkScheme(file, json, profile);
  if (checked !== undefined) return checked;
  throw new ProfileError(problems.filter(({ severity }) => severity === "error"));
}

class Checker {
  readonly problems: ProfileProblem[] = [];
  readonly #file: string;
  readonly #profile: Pick<Profile, "signals" | "limits" | "obd">;

  constructor(file: string, profile: Pick<Profile, "signals" | "limits" | "obd">) {
    this.#file = file;
    this.#profile = profile;
  }

  report(path: string, message: string, severity: "error" | "warning" = "error"): void {
    this.problems.push({ file: this.#file, path, severity, message });
  }

  /** Undefined: something in it is wrong, and was reported. */
  rule(rule: Rule, scheme: string, path: string): Maker | undefined {
    switch (rule.on) {
      case "change": {
        const template = this.#template(rule.emit, path);
        this.#signals(rule.signals, `${path}/signals`);
        return () => changeRule(rule, scheme, template);
      }
      case "periodic": {
        const condition = this.#condition(rule.while, `${path}/while`);
        const template = this.#template(rule.emit, path);
        this.#signals(rule.signals ?? [], `${path}/signals`);
        if ((rule.emit === undefined) === (rule.signals === undefined)) {
          this.report(path, 'expected either "emit" or "signals"');
        }
        return () => periodicRule(rule, scheme, condition, template);
      }
      case "condition": {
        const condition = this.#condition(rule.when, `${path}/when`);
        const held = this.#condition(rule.while, `${path}/while`);
        const template = this.#template(rule.emit, path);
        this.#signals(rule.sample?.signals ?? [], `${path}/sample/signals`);
        if (rule.emit === undefined && rule.sample === undefined) {
          this.report(path, 'expected "emit" or "sample"');
        }
        if (condition === undefined) return undefined;
        return () => conditionRule(rule, scheme, condition, held, template);
      }
      case "trip":
        this.#signals(["Vehicle.LowVoltageSystemState", "Vehicle.Speed"], path);
        return ({ booking, trips }) => tripRule(rule, booking, trips);
      case "lock":
        return ({ provides, lockCause }) => lockRule(rule, provides, lockCause);
    }
  }

  #template(emit: Emit | undefined, path: string): Template | undefined {
    if (emit === undefined) return undefined;
    const template = templateOf(emit, (below, message) =>
      this.report(`${path}/emit${below}`, message),
    );
    this.#signals(template.signals, `${path}/emit`);
    return template;
  }

  #condition(source: string | undefined, path: string): Expression | undefined {
    if (source === undefined) return undefined;
    const report = (below: string, message: string): void => this.report(path + below, message);
    const expression = expressionOf(source, "", report, "boolean");
    this.#signals((expression?.names ?? []).filter(isSignalName), path);
    return expression;
  }

  #signals(names: readonly SignalName[], path: string): void {
    if (this.#profile.obd !== undefined) return;
    for (const name of names) {
      if (this.#profile.signals[name] !== undefined) continue;
      this.report(path, `this car has no ${name}`, "warning");
    }
  }
}
