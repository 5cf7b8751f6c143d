/** The console in a browser: a visitor, what their browser complains of, and what axe finds. */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { tenantId } from "@kerbside/protocol";
import { openRegistry, type Registry } from "@kerbside/tenants";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { ensureOperator } from "../../scripts/demo/operator.ts";
import { TENANT } from "../../scripts/demo/parts.ts";
import type { World } from "../support/world.ts";

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

/** Makes the account of a role, and signs in with it. */
export async function enterAs(world: World, visitor: Visitor, role: string): Promise<void> {
  const file = role === "operator" ? world.paths.operatorPassword : `${world.paths.data}/${role}`;
  const paths = { cloud: world.paths.cloud, operatorPassword: file };
  await ensureOperator(paths, world.cloud, role);
  await signIn(visitor, world.ports.https, role, file);
}

type OpenTenant = NonNullable<Awaited<ReturnType<Registry["tenant"]>>>;
export type TenantUse = <T>(use: (tenant: OpenTenant) => Promise<T>) => Promise<T>;

/** The tenant's store, beside the cloud that has it open; `nowMs` is its clock here. */
export async function withTenant<T>(
  { paths }: World,
  use: (tenant: OpenTenant) => Promise<T>,
  nowMs: () => number = Date.now,
): Promise<T> {
  const key = readFileSync(join(paths.cloud, "secrets", "master-key"), "utf8").trim();
  const registry = await openRegistry({
    dir: paths.cloud,
    masterKey: Buffer.from(key, "base64url"),
    nowMs,
  });
  try {
    const tenant = await registry.tenant(tenantId(TENANT));
    if (tenant === undefined) throw new Error("the tenant is not there");
    return await use(tenant);
  } finally {
    await registry.close();
  }
}

/** By the issuer's own pages. */
async function signIn(
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
