/** P-92: the units that are shipped say what they must, and services are configured by their environment. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { COMMANDS, readInput, variableOf } from "@kerbside/cloud";
import { test } from "uvu";
import * as assert from "uvu/assert";

const folder = fileURLToPath(new URL("../../packaging/systemd/", import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith(".service"));

/** The values of each key of [Service], in order (systemd.syntax(7)). */
function serviceOf(file: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  let section = "";
  for (const line of readFileSync(folder + file, "utf8").split("\n")) {
    const [, name] = /^\[(\w+)\]$/.exec(line) ?? [];
    if (name !== undefined) section = name;
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (section !== "Service" || key === undefined || value === undefined) continue;
    found.set(key, [...(found.get(key) ?? []), value]);
  }
  return found;
}

const EVERYWHERE: readonly (readonly [key: string, value: RegExp, why: string])[] = [
  ["User", /^kerbside(-agent)?$/, "an unprivileged user of its own"],
  ["NoNewPrivileges", /^yes$/, "nothing it starts gets more"],
  ["ProtectSystem", /^strict$/, "the file system is read-only"],
  ["ProtectHome", /^yes$/, "and homes are not there"],
  ["ReadWritePaths", /^\/var\/lib\/kerbside(-agent)?$/, "but for its one directory"],
  ["StateDirectoryMode", /^0700$/, "which nobody else enters"],
  ["PrivateTmp", /^yes$/, "temporary files are its own"],
  ["CapabilityBoundingSet", /^$/, "no capability"],
  ["AmbientCapabilities", /^$/, "none handed on either"],
  ["SystemCallFilter", /^@system-service/, "calls that services make"],
  ["UMask", /^0077$/, "files are its own"],
  ["LimitCORE", /^0$/, "no memory with keys lands on a disk"],
];

test("P-92 every service runs as a user of its own, without privileges, on a read-only file system", () => {
  assert.equal(files.length, 5);
  for (const file of files) {
    const service = serviceOf(file);
    for (const [key, value, why] of EVERYWHERE)
      assert.match(service.get(key)?.[0] ?? "missing", value, `${file}: ${why}`);
    assert.is(service.get("ReadWritePaths")?.length, 1, file);
  }
});

const KEYS: Readonly<Record<string, readonly string[]>> = {
  "kerbside-agent.service": [],
  "kerbside-cloud.service": ["master-key", "signer-key", "issuer-key"],
  "kerbside-issuer.service": ["issuer-key"],
  "kerbside-node.service": ["master-key"],
  "kerbside-signer.service": ["signer-key"],
};

test("P-03 P-92 each is handed its own keys as credentials, and no secret stands in a unit", () => {
  for (const file of files) {
    const service = serviceOf(file);
    const keys = (service.get("LoadCredential") ?? []).map((line) => line.split(":")[0]);
    assert.equal(keys, KEYS[file], file);
    for (const line of service.get("Environment") ?? []) assert.not.match(line, /KEY|PASSWORD/);
  }
});

test("P-92 what a unit starts is there, and what it sets is an option", () => {
  for (const file of files) {
    const service = serviceOf(file);
    const [start = ""] = service.get("ExecStart") ?? [];
    const [, main = "", words = ""] =
      /\/opt\/kerbside\/((?:cloud|device)\/main\.ts) (.+)$/.exec(start) ?? [];
    if (main === "device/main.ts") {
      assert.match(words, /^run --config \//);
      continue;
    }
    const command = COMMANDS.find(({ name }) => name === words);
    assert.ok(command?.environment, `${file}: ${words}`);
    const variables = Object.keys(command?.options ?? {}).map(variableOf);
    for (const line of service.get("Environment") ?? [])
      assert.ok(variables.includes(line.split("=")[0] ?? ""), `${file}: ${line}`);
  }
});

const io = (env: Readonly<Record<string, string>>) => ({
  ...{ out: () => undefined, err: () => undefined, env },
  stop: new AbortController().signal,
});
const services = COMMANDS.filter(({ environment }) => environment === true);

test("P-92 every option of a service is set by the environment, or says why it is not", () => {
  assert.equal(
    services.map(({ name }) => name),
    ["serve", "serve node", "serve signer", "serve issuer"],
  );
  for (const command of services)
    for (const [name, { value, lineOnly }] of Object.entries(command.options)) {
      const said = value === undefined ? "yes" : "said-here";
      const input = readInput(command, [], io({ [variableOf(name)]: said }));
      const got = value === undefined ? input.flag(name) : input.text(name) === said;
      assert.is(got, lineOnly === undefined, `${command.name} --${name}`);
      if (lineOnly !== undefined) assert.ok(lineOnly.length > 10, `${name}: says why`);
    }
});

test("P-92 the line goes before the environment, and a flag is yes or no", () => {
  const [serve] = services;
  assert.ok(serve);
  if (serve === undefined) return;
  const env = { KERBSIDE_HTTPS_PORT: "9443", KERBSIDE_NO_EMBEDDED_ISSUER: "no" };
  assert.is(readInput(serve, [], io(env)).text("https-port"), "9443");
  assert.is(readInput(serve, ["--https-port", "1"], io(env)).text("https-port"), "1");
  assert.is(readInput(serve, [], io(env)).flag("no-embedded-issuer"), false);
  const wrong = io({ KERBSIDE_NO_EMBEDDED_ISSUER: "true" });
  assert.throws(
    () => readInput(serve, [], wrong),
    /KERBSIDE_NO_EMBEDDED_ISSUER: expected yes or no/,
  );
  const other = COMMANDS.find(({ name }) => name === "tenant list");
  assert.ok(other);
  if (other === undefined) return;
  const aside = readInput(other, [], io({ KERBSIDE_DATA: "/elsewhere" }));
  assert.is.not(aside.text("data"), "/elsewhere", "what a person types is not bent by a variable");
});

test.run();
