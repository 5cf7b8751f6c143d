/** What a profile may say and most likely should not: found by looking, told as warnings; and safety rules. */
import type { Action, SignalName } from "@kerbside/protocol";
import type { CompiledProfile } from "./link.ts";
import type { Dbc2Vss, ProfileProblem } from "./model.ts";

/** Signals without which an action cannot be judged by the interlocks. */
const NEEDED: readonly { readonly action: Action; readonly signals: readonly SignalName[] }[] = [
  { action: "immobilise", signals: ["Vehicle.Speed", "Vehicle.LowVoltageSystemState"] },
  { action: "lock_and_immobilise", signals: ["Vehicle.Speed", "Vehicle.LowVoltageSystemState"] },
];

/** Words of a value table that name no value. */
const NO_VALUE =
  /not.?available|\bsna\b|\bna\b|invalid|unknown|undefined|error|fault|fail|\binit|reserved|not.?used/i;

export function lintProfile(file: string, compiled: CompiledProfile): ProfileProblem[] {
  const problems: ProfileProblem[] = [];
  const report = (severity: "error" | "warning", path: string, message: string): void => {
    problems.push({ file, path, severity, message });
  };
  const { profile } = compiled;
  for (const { action, signals } of NEEDED) {
    if (!profile.capabilities.actions.includes(action)) continue;
    const obdSpeed = profile.obd?.ask.includes("speed") === true;
    for (const name of signals) {
      const has = profile.signals[name] !== undefined || (name === "Vehicle.Speed" && obdSpeed);
      if (!has) report("error", "/capabilities/actions", `${action} needs ${name}`);
    }
  }
  if (profile.dbc.length === 0 && profile.obd === undefined) {
    report("warning", "/dbc", "neither a DBC nor OBD: this car says nothing");
  }
  lintMessages(compiled, report);
  lintSignals(compiled, report);
  return problems;
}

type Report = (severity: "error" | "warning", path: string, message: string) => void;

function lintMessages({ messages, profile }: CompiledProfile, report: Report): void {
  for (const { name, compiled, periodMs } of messages) {
    const path = `/messages/${name}`;
    const { cycleTimeMs } = compiled.message;
    const said = profile.messages[name]?.periodMs;
    if (periodMs === undefined) {
      report("warning", path, "no expected period: its loss cannot be noticed");
    } else if (said !== undefined && cycleTimeMs !== null && said !== cycleTimeMs) {
      report("warning", `${path}/periodMs`, `${said} ms here, ${cycleTimeMs} ms in the DBC`);
    }
  }
}

function lintSignals({ profile, dbc }: CompiledProfile, report: Report): void {
  for (const [name, { dbc2vss }] of Object.entries(profile.signals)) {
    const path = `/signals/${name}/dbc2vss`;
    const [messageName = "", signalName = ""] = dbc2vss.signal?.split(".") ?? [];
    const message = dbc.named(messageName);
    const signal = message?.message.signals.find((s) => s.name === signalName);
    if (message === undefined || signal === undefined) continue;
    const period = profile.messages[messageName]?.periodMs;
    if (period !== undefined && dbc2vss.interval_ms < period) {
      report("warning", `${path}/interval_ms`, `faster than its message, every ${period} ms`);
    }
    if (dbc2vss.transform?.mapping !== undefined) continue;
    for (const [raw, word] of signal.choices) {
      if (NO_VALUE.test(word) && !isUnknown(dbc2vss, raw, word)) {
        report("warning", `${path}/unknown`, `${raw} means "${word}" and is taken for a value`);
      }
    }
  }
}

function isUnknown({ unknown = [] }: Dbc2Vss, raw: number | bigint, word: string): boolean {
  return unknown.some(
    (code) => code === word || (typeof code === "number" && code === Number(raw)),
  );
}
