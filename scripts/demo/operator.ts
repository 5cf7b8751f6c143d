/** Somebody who can sign in to the console: made at the first start, with a password of its own. */
import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { type Cloud, type Paths, TENANT } from "./parts.ts";
import { DemoError, runProgram } from "./processes.ts";

export const OPERATOR = "operator";

/** Makes an account named as its role unless its password is there. The link that would be mailed is followed here. */
export async function ensureOperator(
  { cloud, operatorPassword }: Pick<Paths, "cloud" | "operatorPassword">,
  { ports, call }: Pick<Cloud, "ports" | "call">,
  role: string = OPERATOR,
): Promise<void> {
  if (existsSync(operatorPassword)) return;
  const [made] = await runProgram("kerbside-cloud", [
    ...["account", "create", "--tenant", TENANT, "--user", role, "--role", role],
    // The mail server that the demo does not have would never reach it.
    ...["--email", `${role}@example.com`, "--issuer", `https://localhost:${ports.https}`],
    ...["--data", cloud, "--dev", "--json"],
  ]);
  const link = made?.["link"];
  if (typeof link !== "string") throw new DemoError("account create gave no link");
  const token = new URL(link).searchParams.get("token") ?? "";
  const password = randomBytes(12).toString("base64url");
  const { status } = await call("/oauth/people/reset/finish", {
    method: "POST",
    body: new URLSearchParams({ token, password }).toString(),
  });
  if (status !== 200) throw new DemoError(`the operator's password was refused (${status})`);
  writeFileSync(operatorPassword, `${password}\n`, { mode: 0o600 });
}
