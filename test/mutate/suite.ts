/**
 * Stands in for uvu where mutants are tried: it only keeps what a test file says, so that each test can be run by itself.
 * A file loads a copy of its own.
 */
type State = Record<string, unknown>;
type Body = (state: State) => unknown;
export type Case = { readonly name: string; readonly body: Body };
export type Suite = {
  readonly cases: Case[];
  readonly before: Body[];
  readonly after: Body[];
  readonly beforeEach: Body[];
  readonly afterEach: Body[];
};
type Hook = ((body: Body) => void) & { each: (body: Body) => void };
type Test = ((name: string, body: Body) => void) & {
  readonly before: Hook;
  readonly after: Hook;
  readonly skip: (name?: string, body?: Body) => void;
  readonly run: () => void;
};

/** What the file has run, in order. */
export const suites: Suite[] = [];

const hook = (once: Body[], each: Body[]): Hook =>
  Object.assign((body: Body): void => void once.push(body), {
    each: (body: Body): void => void each.push(body),
  });

export function suite(): Test {
  const own: Suite = { cases: [], before: [], after: [], beforeEach: [], afterEach: [] };
  return Object.assign((name: string, body: Body): void => void own.cases.push({ name, body }), {
    before: hook(own.before, own.beforeEach),
    after: hook(own.after, own.afterEach),
    skip: (): void => undefined,
    run: (): void => void suites.push(own),
  });
}

export const test: Test = suite();
