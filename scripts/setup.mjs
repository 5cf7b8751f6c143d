// Makes a clone ready to run: installs what the lock file names, under Node 24, when node_modules is
// missing or older than the lock file, and builds the console's page when it is older than its sources.
// Plain JavaScript on purpose: the Node that starts it may be 20.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const NODE_VERSION = "24.21.0";
const NODE_MAJOR_MIN = 24;
const root = fileURLToPath(new URL("..", import.meta.url));
const marker = join(root, "node_modules", ".package-lock.json");
const lock = join(root, "package-lock.json");

const consoleDir = join(root, "cloud", "console");
// What the page is built from.
const pageSources = [join(consoleDir, "web"), join(root, "shared", "client")];
const builtPage = join(consoleDir, "site", "index.html");

/** Runs a program quietly, showing that it is alive; its output is printed only if it fails. */
function run(what, program, args, path) {
  const started = Date.now();
  const say = () => {
    const seconds = Math.round((Date.now() - started) / 1000);
    if (process.stderr.isTTY) process.stderr.write(`\r${what} … ${seconds} s`);
  };
  if (!process.stderr.isTTY) process.stderr.write(`${what} …\n`);
  const ticker = setInterval(say, 1000);
  say();
  return new Promise((resolve, reject) => {
    let output = "";
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, PATH: path, npm_config_loglevel: "error" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const keep = (chunk) => {
      output = (output + chunk).slice(-20_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", reject);
    child.on("close", (code) => {
      clearInterval(ticker);
      const seconds = ((Date.now() - started) / 1000).toFixed(0);
      process.stderr.write(process.stderr.isTTY ? `\r${what}: ${seconds} s\n` : "");
      if (code === 0) resolve();
      else reject(new Error(`${program} ${args.join(" ")} failed with status ${code}:\n${output}`));
    });
  });
}

const isNewer = (file, than) => existsSync(file) && statSync(file).mtimeMs >= than;

async function setup() {
  if (!isNewer(marker, statSync(lock).mtimeMs)) await install();
  const changed = pageSources.flatMap((dir) =>
    readdirSync(dir, { recursive: true })
      .filter((name) => !name.startsWith("dist"))
      .map((name) => statSync(join(dir, name)).mtimeMs),
  );
  if (isNewer(builtPage, Math.max(...changed))) return;
  const node = join(root, "node_modules", "node", "bin", "node");
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  const config = join(consoleDir, "vite.config.ts");
  await run(
    "Building the console",
    node,
    [vite, "build", "--config", config],
    process.env.PATH ?? "",
  );
}

async function install() {
  let path = process.env.PATH ?? "";
  if (Number(process.versions.node.split(".")[0]) < NODE_MAJOR_MIN) {
    // npm leaves out, silently, an optional dependency that the running Node is too old for.
    const prefix = join(root, ".node24");
    const bin = join(prefix, "node_modules", "node", "bin");
    if (!existsSync(join(bin, "node"))) {
      const args = ["install", "--no-save", "--prefix", prefix, `node@${NODE_VERSION}`];
      await run("Fetching Node 24", "npm", args, path);
    }
    path = bin + delimiter + path;
  }
  await run("Installing dependencies", "npm", ["ci"], path);
}

try {
  await setup();
} catch (error) {
  process.stderr.write(`\nSet-up failed: ${error.message}\n`);
  process.exitCode = 1;
}
