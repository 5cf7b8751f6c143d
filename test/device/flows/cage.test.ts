import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { caged } from "../../support/cage.ts";
import { manualClock, realClock } from "../../support/runtime.ts";
import { until } from "../../support/wait.ts";
import { flowOf, parsed, withFlows } from "./support.ts";

/** Out of the sandbox of a function node, as anybody can read how to: what is left is the cage. */
const ESCAPE = `const process = node.warn.constructor("return process")();
const load = (name) => process.getBuiltinModule(name);`;

/** Each answers what it got, or throws. What it got is named, so that a try that is broken is seen to be. */
function attacks(dir: string, port: number): Readonly<Record<string, string>> {
  const [secret, socket, mine] = ["secret", "socket", "mine"].map((name) =>
    JSON.stringify(join(dir, name)),
  );
  return {
    "read a file": `return load("fs").readFileSync(${secret}).length`,
    "read a file by the promises": `return await load("fs").promises.readFile(${secret})`,
    "read the password file": `return load("fs").readFileSync("/etc/passwd").length`,
    "list the root": `return load("fs").readdirSync("/").length`,
    "read the agent's environment": `return load("fs").readFileSync("/proc/1/environ").length`,
    "write a file": `return load("fs").writeFileSync(${mine}, "x") ?? true`,
    "open a database": `return new (load("node:sqlite").DatabaseSync)(${mine})`,
    "start a process": `return load("child_process").execSync("id")`,
    "start a process past the module": `return process.binding("spawn_sync")`,
    "start a worker": `return new (load("worker_threads").Worker)("1", { eval: true })`,
    "load native code": `return process.dlopen({ exports: {} }, ${secret})`,
    "open the inspector": `return load("inspector").open(0) ?? true`,
    "write a report": `return process.report.writeReport(${mine})`,
    "signal the agent": `return process.kill(${process.pid}, 0)`,
    "signal its parent": `if (process.ppid === 0) throw 0; return process.ppid`,
    "find a secret in the environment": `if (Object.keys(process.env).length === 0) throw 0; return 1`,
    "reach a port of the module": `return await new Promise((ok, no) => {
      const s = load("net").connect(${port}, "127.0.0.1", () => ok(s.destroy())); s.on("error", no); })`,
    "reach the network": `return await load("dns").promises.lookup("example.org")`,
    "reach a socket of the module": `return await new Promise((ok, no) => {
      const s = load("net").connect(${socket}, () => ok(s.destroy())); s.on("error", no); })`,
    "make a socket": `return await new Promise((ok, no) => {
      const s = load("net").createServer().listen("/mine", () => ok(s.close())); s.on("error", no); })`,
    "make a socket beside the agent": `return await new Promise((ok, no) => {
      const s = load("net").createServer().listen(${mine}, () => ok(s.close())); s.on("error", no); })`,
    "become somebody else": `return process.setuid(1)`,
  };
}

async function listening(server: Server, where: string | number): Promise<number> {
  await new Promise<void>((resolve) => server.listen(where, resolve));
  server.unref();
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

caged("a flow that breaks out of its sandbox gets nothing", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-loot-"));
  writeFileSync(join(dir, "secret"), "the key");
  let reached = 0;
  const [tcp, unix] = [createServer(), createServer()];
  for (const server of [tcp, unix]) server.on("connection", () => (reached += 1));
  const port = await listening(tcp, 0);
  await listening(unix, join(dir, "socket"));
  const table = Object.entries(attacks(dir, port));
  const functions = table.map(([, body]) => `async () => { ${body} }`).join(",\n");
  const func = `${ESCAPE}
const tries = [${functions}];
(async () => {
  for (const [value, run] of tries.entries()) {
    const what = await Promise.resolve().then(run).then(() => "got", () => "refused");
    node.send({ payload: { what, value } });
  }
})();`;
  // One event a try, and the bound of all flows is 60 a minute.
  await withFlows(realClock, async ({ flows, events, faults }) => {
    flows.apply([parsed(flowOf("thief", func))]);
    await until("running", () => flows.state() === "running", 30_000);
    flows.offer("Vehicle.Speed", 10);
    await until("all answers", () => events.length >= table.length, 20_000);
    const outcomes = events.map((event) =>
      event.kind === "flow.reported"
        ? [table[event.data.values[1]?.number ?? -1]?.[0], event.data.values[0]?.word]
        : [event.kind],
    );
    assert.equal(
      outcomes,
      table.map(([name]) => [name, "refused"]),
    );
    assert.is(reached, 0, "nobody connected");
    assert.equal(readdirSync(dir).sort(), ["secret", "socket"], "nothing was written");
    assert.equal(faults(), []);
  });
  tcp.close();
  unix.close();
  rmSync(dir, { recursive: true });
});

test("the same tries get what they want outside of a cage", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-loot-"));
  writeFileSync(join(dir, "secret"), "the key");
  const [tcp, unix] = [createServer(), createServer()];
  const port = await listening(tcp, 0);
  await listening(unix, join(dir, "socket"));
  // Those that leave nothing behind in the process of a test.
  const harmless = [
    ...["read a file", "read a file by the promises", "read the password file", "list the root"],
    ...["open a database", "start a process", "signal the agent", "signal its parent"],
    ...["find a secret in the environment", "reach a port of the module"],
    ...["reach a socket of the module", "make a socket beside the agent", "write a file"],
  ];
  const table = attacks(dir, port);
  const node = { warn: () => undefined };
  for (const name of harmless) {
    const make = new Function("node", `${ESCAPE}\nreturn async () => { ${table[name]} }`);
    rmSync(join(dir, "mine"), { force: true });
    await make(node)().catch((error: unknown) => assert.unreachable(`${name}: ${String(error)}`));
  }
  tcp.close();
  unix.close();
  rmSync(dir, { recursive: true });
});

/** What it does on the first value; on any other it says that it is well. */
const misdeeds: Readonly<Record<string, { readonly body: string; readonly why: string }>> = {
  hangs: { body: "while (true);", why: "hung" },
  "eats memory": {
    body: "context.all = []; for (let i = 0; i < 40; i++) context.all.push(Buffer.alloc(1 << 24, 1));",
    why: "memory",
  },
  floods: {
    body: `for (let i = 0; i < 400; i++) node.send({ payload: { i: "x".repeat(1000) } });`,
    why: "flood",
  },
  "writes garbage to the agent": { body: `load("fs").writeSync(3, "{}}}\\n");`, why: "flood" },
  "ends its process": { body: "process.exit(0);", why: "ended" },
};

for (const [name, { body, why }] of Object.entries(misdeeds)) {
  caged(`a flow that ${name} is ended, said to be, and runs again`, async () => {
    const func = `${ESCAPE}\nif (msg.payload === 1) { ${body} }
return { payload: { what: "got", value: msg.payload } };`;
    await withFlows(realClock, async ({ flows, events, faults }) => {
      flows.apply([parsed(flowOf("rogue", func))]);
      await until("running", () => flows.state() === "running", 30_000);
      flows.offer("Vehicle.Speed", 1);
      await until(
        "the fault",
        () => faults().some((fault) => fault.startsWith("flows.failed")),
        30_000,
      );
      assert.is(
        faults().find((fault) => fault.startsWith("flows.failed")),
        `flows.failed ${why}`,
      );
      await until("running", () => flows.state() === "running", 30_000);
      flows.offer("Vehicle.Speed", 42);
      const said = () =>
        events.some(({ kind, data }) => kind === "flow.reported" && data.values[1]?.number === 42);
      await until("its answer", said, 10_000);
    });
  });
}

caged("a rule hears of trips, and of nobody whose they are", async () => {
  const func = `const keys = Object.keys(msg.payload).sort().join();
return { payload: { what: keys === "fuelPercent,odometerM" ? "got" : "refused", value: msg.payload.odometerM } };`;
  const document = flowOf("trips", func);
  const nodes = (document["nodes"] as readonly { readonly type: string }[]).map((node) =>
    node.type === "kerbside-signal-in"
      ? { ...node, type: "kerbside-trip", wires: [["trips.f"], []] }
      : node,
  );
  await withFlows(realClock, async ({ flows, events }) => {
    flows.apply([parsed({ ...document, nodes })]);
    await until("running", () => flows.state() === "running", 30_000);
    flows.trip("started", { odometerM: 7, fuelPercent: 50, booking: "b-1" });
    await until("its answer", () => events.some(({ kind }) => kind === "flow.reported"), 30_000);
    const said = events.find(({ kind }) => kind === "flow.reported");
    assert.match(JSON.stringify(said), '"word":"got"');
  });
});

caged("a flow that keeps failing is left off until another comes", async () => {
  const clock = manualClock();
  const func = `${ESCAPE}\nprocess.exit(1);`;
  const broken = flowOf("broken", func);
  const nodes = [
    ...(broken["nodes"] as readonly object[]),
    {
      id: "broken.now",
      z: "broken.t",
      type: "inject",
      once: true,
      onceDelay: 0.1,
      wires: [["broken.f"]],
    },
  ];
  await withFlows(clock, async ({ flows, events, faults }) => {
    flows.apply([parsed({ ...broken, nodes })]);
    for (let failure = 1; failure < 6; failure++) {
      await until("pausing", () => flows.state() === "pausing", 30_000);
      clock.pass(300_000);
    }
    await until("left_off", () => flows.state() === "left_off", 30_000);
    clock.pass(86_400_000);
    assert.is(flows.state(), "left_off");
    assert.match(faults().at(-1) ?? "", /^flows.failed ended, left off/);
    flows.apply([parsed(flowOf("sound", "return undefined;"))]);
    await until("running", () => flows.state() === "running", 30_000);
    flows.apply([]);
    await until("none", () => flows.state() === "none", 10_000);
    const cleared = events.filter(({ kind }) => kind === "fault.cleared");
    assert.is(cleared.length, 1, "with the last flow its fault is gone");
  });
});

test.run();
