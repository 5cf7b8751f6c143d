/** P-42, P-54: what leaves a region is a list, and nothing else does; and the rules that are set upon it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sift, startTelemetry, TELEMETRY } from "@kerbside/cloud";
import { CommandLevels, requestMetrics } from "@kerbside/commands";
import { type Log, tenantId } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { command } from "../conformance/car-log.ts";
import { makeCertificate } from "../sim/rig.ts";
import { receive } from "../support/receiver.ts";
import { manualClock, silentLog } from "../support/runtime.ts";

const root = new URL("../../", import.meta.url);

test("P-42 a line that is not on the list, or says more than it may, does not leave", () => {
  const good = [
    'kerbside_http_request_seconds_count{method="GET",route="/v1/tenants/:tenant/me",status="200"} 3',
    'kerbside_billing_total{tenant="demo",what="cars"} 12',
    "kerbside_ingest_bytes_total 1.5e+9",
    'kerbside_webhook_deliveries_total{host="hooks.example.org",outcome="taken"} 1',
  ];
  const rows: readonly [why: string, line: string][] = [
    ["no row", "kerbside_people 3"],
    ["a path with an id", good[0]?.replace(":tenant/me", ":tenant/people/17") ?? ""],
    ["an e-mail address as a host", good[3]?.replace("hooks.example.org", "ann@example.org") ?? ""],
    ["a network address as a host", good[3]?.replace("hooks.example.org", "93.184.216.34") ?? ""],
    ["another one", good[3]?.replace("hooks.example.org", "[2001:db8::1]") ?? ""],
    ["a label too many", 'kerbside_ingest_bytes_total{person="ann"} 1'],
    ["a label too few", 'kerbside_billing_total{tenant="demo"} 1'],
    ["a label twice", 'kerbside_billing_total{tenant="demo",tenant="b",what="cars"} 1'],
    ["another thing to bill", 'kerbside_billing_total{tenant="demo",what="ann"} 1'],
    ["an escaped quote", 'kerbside_command_seconds_sum{action="a\\"b"} 1'],
    ["a value that is none", "kerbside_ingest_bytes_total +4930111"],
    ["a name from the prototype", "constructor 1"],
    ["words", "Ann lives at canal street 7"],
  ];
  assert.equal(sift(`# HELP x\n${good.join("\n")}\n`).lines, good);
  for (const [why, line] of rows) assert.equal(sift(line).lines, [], why);
  const { refused } = sift(rows.map(([, line]) => line).join("\n"));
  assert.not.match(refused.join(" "), /ann|\+49|canal/i, "nor is it told in the log");
});

test("P-42 P-54 what is pushed is what is measured, with what is billed by tenant, and nothing of anybody", async () => {
  const { certificate, key } = await makeCertificate();
  await using server = await receive({ key, cert: certificate }, (before) =>
    before === 1 ? 503 : 202,
  );
  const { port, bodies } = server;
  const dir = mkdtempSync(join(tmpdir(), "kerbside-telemetry-"));
  const file = join(dir, "telemetry.json");
  const to = { url: `https://localhost:${port}/push`, token: "a-token-of-the-gateway" };
  writeFileSync(file, JSON.stringify({ ...to, ca: certificate }), { mode: 0o600 });
  const requests = requestMetrics();
  const levels = new CommandLevels();
  for (const person of ["ann", "ben"]) {
    requests.count("GET", "/v1/tenants/:tenant/me", 200, 0.01);
    requests.count("GET", `/v1/tenants/demo/people/${person}`, 404, 0.01);
    levels.ended(command(1, { requestedBy: person, state: "executed" }));
  }
  const warned: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (event, fields) => warned.push(`${event} ${fields?.["names"]}`),
  };
  const sent = startTelemetry({
    ...{ file, log, clock: manualClock() },
    metrics: () => `${requests.text()}${levels.text()}secret_of_ann 1\n`,
    usage: async () =>
      new Map([[tenantId("demo"), { cars: 2, bookings: 3, commands: 4, events: 5 }]]),
  });
  for (let i = 0; i < 2; i += 1) await sent.push();
  await sent.close();
  rmSync(dir, { recursive: true });
  assert.is(bodies.length, 3, "a push that failed is made up for by the next, the last at the end");
  const [first = "", , last = ""] = bodies;
  assert.is(first, last);
  const [authorization, ...lines] = first.trimEnd().split("\n");
  assert.is(authorization, `Bearer ${to.token}`);
  assert.equal(sift(lines.join("\n")).lines, lines);
  assert.match(first, 'route="/v1/tenants/:tenant/me",status="200"} 2');
  assert.match(first, 'kerbside_billing_total{tenant="demo",what="cars"} 2');
  assert.match(
    first,
    'kerbside_command_ended_total{action="unlock",outcome="executed",reason="none"} 2',
  );
  assert.not.match(first, /ann|ben\b/);
  assert.ok(warned.includes("telemetry.refused secret_of_ann"), warned.join());
});

test("commands are counted by how they ended and why, and reasons are bounded", () => {
  const levels = new CommandLevels();
  const refused = (condition: string) => ({
    status: "refused" as const,
    unmet: [{ condition, words: "w" }],
  });
  const ended = (state: "failed" | "refused", more: object): void =>
    levels.ended({ ...command(1, { state }), ...more });
  ended("failed", { error: "vehicle_offline" });
  ended("refused", { result: refused("moving") });
  ended("refused", { result: refused('"} 1\nevil') });
  for (let i = 0; i < 100; i += 1)
    ended("refused", { result: refused(`r_${"x".repeat(i % 39)}${"y".repeat(i / 39)}`) });
  const text = levels.text();
  assert.match(text, 'outcome="failed",reason="vehicle_offline"} 1');
  assert.match(text, 'outcome="refused",reason="moving"} 1');
  assert.not.match(text, "evil");
  const reasons = new Set([...text.matchAll(/reason="([^"]*)"/g)].map(([, reason]) => reason));
  assert.ok(reasons.size <= 64 + 2, `${reasons.size} reasons`);
});

type Rule = {
  readonly alert?: string;
  readonly expr: string;
  readonly annotations?: { readonly runbook: string };
};

test("each alert is about metrics that there are, by labels that they have, and the run book says what to do", () => {
  const file = new URL("packaging/prometheus/kerbside.rules.json", root);
  const { groups } = JSON.parse(readFileSync(file, "utf8")) as {
    readonly groups: readonly { readonly rules: readonly Rule[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  const runbook = readFileSync(new URL("docs/runbook.md", root), "utf8");
  const anchors = new Set(
    [...runbook.matchAll(/^## (.*)$/gm)].map(([, words = ""]) =>
      words.toLowerCase().replaceAll(" ", "-"),
    ),
  );
  assert.ok(rules.filter(({ alert }) => alert !== undefined).length >= 5);
  for (const { alert, expr, annotations } of rules) {
    for (const [, name = "", labels = ""] of expr.matchAll(/\b(kerbside_\w+)(?:\{([^}]*)\})?/g)) {
      const row = TELEMETRY[name];
      assert.ok(row !== undefined, `${alert}: there is no ${name}`);
      for (const [, label = ""] of labels.matchAll(/(\w+)(?:=~|!=|=)/g))
        assert.ok(Object.hasOwn(row, label), `${alert}: ${name} has no ${label}`);
    }
    if (alert === undefined) continue;
    const [page, anchor = ""] = annotations?.runbook.split("#") ?? [];
    assert.is(page, "docs/runbook.md");
    assert.ok(anchors.has(anchor), `${alert}: ${anchor} is not in the run book`);
  }
});

test.run();
