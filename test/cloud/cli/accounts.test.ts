/** P-70 to P-72 through the services as they run: accounts, a browser's sign-in, mail over TLS. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { callApi } from "@kerbside/cloud";
import { ProtocolError } from "@kerbside/protocol";
import { SMTPServer } from "smtp-server";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runCloud, type ServingCloud, serveCloud } from "../../support/cloud-process.ts";
import { until } from "../../support/wait.ts";
import { makePki } from "../identity/pki.ts";

const VERIFIER = "v".repeat(64);
const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");
const [FIRST, SECOND] = ["tall grass by the canal", "a barge went by at nine"];
const SMTP_PASSWORD = "smtp-canary-5e1f";

const test = suite("accounts of a running cloud");
const base = mkdtempSync(join(tmpdir(), "kerbside-accounts-"));
const dir = join(base, "cloud");
const mails: string[] = [];
let catcher: SMTPServer;
let cloud: ServingCloud;
let ca: string;

test.before(async () => {
  const pki = await makePki();
  const caFile = join(base, "smtp-ca.pem");
  writeFileSync(caFile, pki.platform.rootCertificate);
  catcher = new SMTPServer({
    secure: true,
    key: pki.server.key,
    cert: pki.server.cert,
    onAuth: ({ username, password }, _session, done) =>
      password === SMTP_PASSWORD
        ? done(null, { user: username })
        : done(new Error("not that password")),
    onData: async (stream, _session, done) => {
      const parts: Buffer[] = [];
      for await (const part of stream) parts.push(Buffer.from(part));
      // Quoted-printable: soft line ends and signs as numbers.
      const text = Buffer.concat(parts).toString("utf8").replaceAll("=\r\n", "");
      mails.push(text.replaceAll("=3D", "="));
      done();
    },
  });
  await new Promise<void>((resolve) => catcher.listen(0, "127.0.0.1", resolve));
  const address = catcher.server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const made = await runCloud(["tenant", "create", "demo", "--data", dir, "--dev"]);
  assert.is(made.code, 0, made.err);
  const mail = ["--smtp", `localhost:${port}`, "--smtp-ca", caFile, "--smtp-user", "kerbside"];
  cloud = await serveCloud(dir, [...mail, "--mail-from", "cloud@example.test"], {
    KERBSIDE_SMTP_PASSWORD: SMTP_PASSWORD,
  });
  ca = readFileSync(join(dir, "tls", "ca.pem"), "utf8");
});
test.after(async () => {
  await cloud.stop();
  await new Promise<void>((resolve) => catcher.close(() => resolve()));
  rmSync(base, { recursive: true, force: true });
});

const jar = new Map<string, string>();
type Answer = { status: number; headers: IncomingHttpHeaders; text: string };

function open(path: string, form?: Readonly<Record<string, string>>): Promise<Answer> {
  const { pathname, search } = new URL(path, "https://localhost");
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
  const body = form === undefined ? undefined : new URLSearchParams(form).toString();
  const headers = { cookie, "content-type": "application/x-www-form-urlencoded" };
  return new Promise((resolve, reject) => {
    const at = { host: "localhost", port: cloud.https, path: pathname + search, ca, headers };
    const asking = request(
      { ...at, method: body === undefined ? "GET" : "POST" },
      async (answer) => {
        for (const line of answer.headers["set-cookie"] ?? []) {
          assert.match(line, /; secure/i);
          assert.match(line, /; httponly/i);
          assert.match(line, /; samesite=lax/i);
          assert.not.match(line, /; domain=/i);
          assert.match(line, /^__(?:Host|Secure)-/, "taken over HTTPS only");
          assert.is(line.startsWith("__Host-"), / path=\/;/i.test(line), "where its path allows");
          const [name = "", value = ""] = line.split("; ", 1).join("").split("=");
          jar.set(name, value);
        }
        let text = "";
        for await (const part of answer) text += String(part);
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text });
      },
    );
    asking.once("error", reject);
    asking.end(body);
  });
}

async function tokenOf(password: string): Promise<string | undefined> {
  jar.clear();
  const redirect = `https://localhost:${cloud.https}/console/`;
  const asked = new URLSearchParams({
    client_id: "console.demo",
    response_type: "code",
    redirect_uri: redirect,
    code_challenge: CHALLENGE,
    code_challenge_method: "S256",
  });
  const start = await open(`/oauth/authorize?${asked}`);
  const posted = await open(start.headers.location ?? "", { user: "ann", password });
  if (posted.status !== 303) return undefined;
  const back = await open(posted.headers.location ?? "");
  // Within the second of a change of the account the form is shown again.
  if (!URL.canParse(back.headers.location ?? "")) return undefined;
  const code = new URL(back.headers.location ?? "").searchParams.get("code") ?? "";
  const answer = await open("/oauth/token", {
    ...{ grant_type: "authorization_code", client_id: "console.demo" },
    ...{ redirect_uri: redirect, code, code_verifier: VERIFIER },
  });
  const body: unknown = JSON.parse(answer.text);
  if (typeof body !== "object" || body === null || !("access_token" in body))
    throw new ProtocolError("unauthenticated", answer.text);
  return String(body.access_token);
}

async function vehicles(token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  const path = "/v1/tenants/demo/vehicles";
  const asked = { method: "GET", path, headers } as const;
  return (await callApi(new URL(`https://localhost:${cloud.https}`), ca, asked)).status;
}

const account = (words: readonly string[]) =>
  runCloud(["account", ...words, "--data", dir, "--tenant", "demo", "--user", "ann"]);

test("P-70 an account made at the command line signs in with a browser and calls the API", async () => {
  const issuer = `https://localhost:${cloud.https}`;
  const words = ["create", "--role", "operator", "--email", "ann@example.test", "--json"];
  const made = await account([...words, "--issuer", issuer]);
  assert.is(made.code, 0, made.err);
  const { link } = JSON.parse(made.out) as { readonly link: string };
  const token = new URL(link).searchParams.get("token") ?? "";
  const done = await open("/oauth/people/reset/finish", { token, password: FIRST });
  assert.is(done.status, 200, done.text);
  await until(
    "the account's mark is a second old",
    async () => (await tokenOf(FIRST)) !== undefined,
  );
  const access = await tokenOf(FIRST);
  assert.is(await vehicles(access ?? ""), 200);
});

test("P-72 a forgotten password is set by the link that comes by mail, over TLS", async () => {
  const asked = await open("/oauth/people/reset", { tenant: "demo", user: "ann" });
  assert.is(asked.status, 200);
  await until("the mail is there", () => mails.length > 0);
  const token = /finish\?token=(\S+)/.exec(mails[0] ?? "")?.[1] ?? "";
  assert.match(mails[0] ?? "", /To: ann@example\.test/);
  const form = await open(`/oauth/people/reset/finish?token=${token}`);
  assert.is(form.status, 200);
  const weak = await open("/oauth/people/reset/finish", { token, password: "passwordpassword" });
  assert.match(weak.text, /many people use/);
  const done = await open("/oauth/people/reset/finish", { token, password: SECOND });
  assert.is(done.status, 200, done.text);
  assert.is(await tokenOf(FIRST), undefined);
  await until("the new one is good", async () => (await tokenOf(SECOND)) !== undefined);
});

test("P-71 who is locked at the command line is out of the API at the next call", async () => {
  const token = (await tokenOf(SECOND)) ?? "";
  assert.is(await vehicles(token), 200);
  assert.is((await account(["lock"])).code, 0);
  assert.is(await vehicles(token), 401);
  assert.is(await tokenOf(SECOND), undefined);
  assert.is((await account(["unlock"])).code, 0);
  assert.is(await vehicles(token), 401, "the old token stays out");
  assert.is((await account(["close"])).code, 0);
  assert.is((await account(["unlock"])).code, 1, "P-73 closed for good");
});

test("P-41 no name, address, password or link is in the log", () => {
  for (const canary of ["Ann", "example.test", FIRST, SECOND, SMTP_PASSWORD, "token="])
    assert.not(cloud.log().includes(canary), canary);
});

test.run();
