/** What anybody sees of a running cloud who has nothing to show for it: headers of its answers, and lines of its log. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { type RequestOptions, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runCloud, type ServingCloud, serveCloud } from "../../support/cloud-process.ts";

const test = suite("what anybody sees");
const base = mkdtempSync(join(tmpdir(), "kerbside-outside-"));
let cloud: ServingCloud;
let ca: string;

test.before(async () => {
  const made = await runCloud(["tenant", "create", "demo", "--data", base, "--dev"]);
  assert.is(made.code, 0, made.err);
  cloud = await serveCloud(base);
  ca = readFileSync(join(base, "tls", "ca.pem"), "utf8");
});
test.after(async () => {
  await cloud.stop();
  rmSync(base, { recursive: true, force: true });
});

type Raw = { readonly status: number; readonly headers: IncomingHttpHeaders };

function raw(path: string, options: RequestOptions = {}, body?: string): Promise<Raw> {
  const at = {
    host: "localhost",
    servername: "localhost",
    port: cloud.https,
    path,
    ca,
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const asking = request({ ...at, ...options }, (answer) => {
      answer.resume();
      answer.once("end", () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers }),
      );
    });
    asking.once("error", reject);
    asking.end(body);
  });
}

test("P-95 every kind of answer tells a browser what it may do with it, pages, JSON, errors and the issuer's own", async () => {
  const asked = {
    client_id: "console.demo",
    response_type: "code",
    code_challenge: "x".repeat(43),
  };
  const kinds: readonly (readonly [path: string, status: number, method?: string])[] = [
    ["/console/", 200],
    ["/console", 308],
    ["/openapi.json", 200],
    ["/docs", 200],
    ["/status", 200],
    ["/status.json", 200],
    ["/status.atom", 200],
    ["/v1/tenants/demo/vehicles", 401],
    ["/v1/tenants/none/vehicles", 401],
    ["/nowhere", 404],
    ["/enrol", 400, "POST"],
    ["/files/demo/x", 404],
    ["/oauth/jwks", 200],
    ["/oauth/token", 400, "POST"],
    ["/.well-known/openid-configuration", 200],
    [`/oauth/authorize?${new URLSearchParams(asked)}`, 303],
    ["/oauth/people/none", 404],
    ["/oauth/people/reset?tenant=demo", 404],
  ];
  for (const [path, status, method = "GET"] of kinds) {
    const host = { headers: { host: `cars.example:${cloud.https}` } };
    const answer = await raw(path, { method, ...host });
    const { headers } = answer;
    assert.is(answer.status, status, path);
    assert.match(String(headers["content-security-policy"]), /default-src '(?:none|self)'/, path);
    assert.match(String(headers["content-security-policy"]), "frame-ancestors 'none'", path);
    assert.is(headers["x-content-type-options"], "nosniff", path);
    assert.is(headers["referrer-policy"], "no-referrer", path);
    const [, life = "0"] =
      /^max-age=(\d+); includeSubDomains$/.exec(String(headers["strict-transport-security"])) ?? [];
    assert.ok(Number(life) >= 31_536_000, `${path}: a year at least`);
  }
  const own = await raw("/status");
  assert.is(own.headers["strict-transport-security"], undefined, "not for a developer's machine");
});

test("P-41 a line of the log is a line, whatever stands in ids, addresses and user agents, and holds none of it", async () => {
  const mark = "forged4711";
  const hostile = [
    `x\n{"level":50,"event":"${mark}"}`,
    `\u001b[2J\u001b[31m${mark}`,
    `"},{"event":"${mark}"`,
    `\r\n\r\n${mark}\u2028${mark}\u0000`,
    `%0a%1b[31m${mark}`,
    `__proto__[${mark}]`,
  ];
  const json = { "content-type": "application/json" };
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const before = cloud.log().length;
  for (const text of hostile) {
    const id = encodeURIComponent(text);
    const agent = [...text].filter((sign) => sign >= " " && sign <= "~").join("");
    const names = { "user-agent": agent, "x-request-id": agent, "x-forwarded-for": agent };
    const client = `grant_type=client_credentials&client_id=${id}&client_secret=${id}`;
    const car = { tenant: text, vehicle: text, token: text, csr: text };
    const keys = { signingKey: text, signingKeyProof: text };
    const asks: readonly Promise<Raw>[] = [
      raw(`/v1/tenants/${id}/vehicles/${id}?after=${id}`, { headers: names }),
      raw(`/v1/platform/tenants/${id}`, {
        headers: { ...names, authorization: `Bearer ${agent}` },
      }),
      raw(`/v1/platform/tenants`, { method: "POST", headers: { ...names, ...json } }, `{"${id}`),
      raw("/oauth/token", { method: "POST", headers: { ...names, ...form } }, client),
      raw(`/oauth/authorize?client_id=${id}&redirect_uri=${id}`, { headers: names }),
      raw(`/oauth/people/sign-in/${id}`, { headers: names }),
      raw("/oauth/people/reset", { method: "POST", headers: { ...names, ...form } }, `user=${id}`),
      raw(
        "/enrol",
        { method: "POST", headers: { ...names, ...json } },
        JSON.stringify({ ...car, ...keys }),
      ),
      raw("/renew", { method: "POST", headers: { ...names, ...json } }, JSON.stringify(car)),
      raw(`/files/${id}/${id}?key=${id}`, { headers: names }),
    ];
    for (const { status } of await Promise.all(asks))
      assert.ok(status >= 400 && status < 500, `${JSON.stringify(text)}: ${status}`);
  }
  // Headers as no client would send them.
  const socket = connect({ host: "localhost", port: cloud.https, ca });
  socket.on("error", () => undefined);
  socket.end(`GET /status HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \u001b[31m${mark}\r\n\r\n`);
  socket.resume();
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const written = cloud.log().slice(before);
  for (const line of written.split("\n").filter((each) => each !== "")) {
    const entry: unknown = JSON.parse(line);
    assert.ok(typeof entry === "object" && entry !== null && "msg" in entry, line);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
    assert.not.match(line, /[\u0000-\u001f\u007f\u2028]/);
  }
  assert.not.match(written, mark);
  assert.match(written, /"msg":"issuer.refused"/, "it is the log that is read");
});

test.run();
