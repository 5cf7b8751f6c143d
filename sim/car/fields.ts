/** Small checks for what comes from outside, as tables; types are derived from them. */
export type Check<T> = {
  /** For error texts and for documentation. */
  readonly expects: string;
  readonly is: (value: unknown) => value is T;
};
export type Checks = Readonly<Record<string, Check<unknown>>>;
export function oneOf<const N extends readonly string[]>(names: N): Check<N[number]> {
  return {
    expects: `one of ${names.join(", ")}`,
    is: (value): value is N[number] => typeof value === "string" && names.includes(value),
  };
}

export const yesNo: Check<boolean> = {
  expects: "true or false",
  is: (value): value is boolean => typeof value === "boolean",
};

export function numberIn(min: number, max: number): Check<number> {
  return {
    expects: `a number from ${min} to ${max}`,
    is: (value): value is number => typeof value === "number" && value >= min && value <= max,
  };
}

/** What is wrong with an object's fields, or undefined: missing, unknown and unfit ones are named. */
export function problemIn(
  checks: Checks,
  value: Readonly<Record<string, unknown>>,
): string | undefined {
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(checks, name))
      return `${name}: no such field; there are ${Object.keys(checks).join(", ")}`;
  }
  for (const [name, check] of Object.entries(checks)) {
    if (!check.is(value[name])) return `${name}: expected ${check.expects}`;
  }
  return undefined;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
