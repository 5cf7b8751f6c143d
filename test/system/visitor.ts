/** The console in a browser: a visitor, what their browser complains of, and what axe finds. */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

const VISIBLE_MS_MAX = 90_000;
export const FLAGS: readonly string[] =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --enable-unsafe-swiftshader".split(
    " ",
  );
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");
/** Where pictures go if somebody wants to look: `node console.test.ts --shots=FOLDER`. */
const shots = process.argv.find((word) => word.startsWith("--shots="))?.slice("--shots=".length);

export type Visitor = {
  readonly page: Page;
  /** What the browser complained of (a breach of the page's policy is one), and hosts that were asked. */
  readonly complaints: string[];
  readonly hosts: Set<string>;
  readonly leave: () => Promise<void>;
};

export async function visit(browser: Browser, more: BrowserContextOptions = {}): Promise<Visitor> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...more });
  const page = await context.newPage();
  page.setDefaultTimeout(VISIBLE_MS_MAX);
  const complaints: string[] = [];
  const hosts = new Set<string>();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  return { page, complaints, hosts, leave: () => context.close() };
}

/** By the issuer's own pages. */
export async function signIn(
  { page }: Visitor,
  httpsPort: number,
  user: string,
  passwordFile: string,
): Promise<void> {
  await page.goto(`https://localhost:${httpsPort}/console/`);
  await page.getByLabel("Operator").fill("demo");
  await page.keyboard.press("Enter");
  await page.locator("input[name=user]").fill(user);
  await page.locator("input[name=password]").fill(readFileSync(passwordFile, "utf8").trim());
  await page.keyboard.press("Enter");
  await page.locator("nav a").first().waitFor();
}

export async function shoot(page: Page, name: string): Promise<void> {
  if (shots === undefined) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
}

type Found = { readonly id: string; readonly impact: string | null; readonly nodes: unknown[] };

/** Serious and critical findings of axe (WCAG 2.2 A and AA). The engine runs beside the page's own policy. */
export async function axe(page: Page): Promise<readonly string[]> {
  const session = await page.context().newCDPSession(page);
  const expression = `${AXE};axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
    violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map(({ html }) => html) })))`;
  const { result } = await session.send("Runtime.evaluate", {
    expression,
    awaitPromise: true,
    returnByValue: true,
    allowUnsafeEvalBlockedByCSP: true,
  });
  await session.detach();
  const found = result.value as readonly Found[];
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${JSON.stringify(nodes)}`);
}

export async function go(page: Page, hash: string, heading: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  await page.getByRole("heading", { name: heading, exact: true }).waitFor();
}

export const overflow = (page: Page): Promise<number> =>
  page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
