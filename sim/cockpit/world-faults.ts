/** The faults that are not of the car's body alone: network, module, and what a thief does. Switches of the cockpit. */
import type { CarFault } from "../car/state.ts";
import type { Simulation } from "../drive/simulation.ts";
import type { ModuleLine } from "../module/module-line.ts";
import type { MobileNetwork } from "../network/mobile-network.ts";
import type { Reader } from "../reader/reader.ts";

export const WORLD_FAULTS = {
  noCoverage: "The module has no network: what it has to say waits.",
  weakCoverage: "The edge of a cell: packets come late, some twice as late.",
  garage: "An underground garage: neither network nor satellites.",
  powerCut: "The module has no supply; the controller and the reader keep theirs.",
  clockWrong: "The module starts with its clock at 1970, its battery is empty.",
  diskFull: "Nothing can be written any more on the module's disk.",
  moduleStolen:
    "A thief has torn the module out: bus, lock and reader are cut off, its lid is open.",
} as const;
export type WorldFault = keyof typeof WORLD_FAULTS;
export const WORLD_FAULT_NAMES = Object.keys(WORLD_FAULTS) as readonly WorldFault[];

/** What each needs to have any effect. */
const NEEDS: Readonly<Record<WorldFault, "network" | "module" | "nothing">> = {
  noCoverage: "network",
  weakCoverage: "network",
  garage: "network",
  powerCut: "module",
  clockWrong: "module",
  diskFull: "module",
  moduleStolen: "nothing",
};
/** Faults of the body that come with one. */
const BODY: Readonly<Partial<Record<WorldFault, readonly CarFault[]>>> = {
  garage: ["gnssLost"],
  moduleStolen: ["tamper", "canUnplugged", "linkUnplugged", "gnssLost"],
};

export type WorldFaultParts = {
  readonly simulation: Pick<Simulation, "act">;
  readonly network: MobileNetwork | undefined;
  readonly module: ModuleLine | undefined;
  readonly reader: Pick<Reader, "unplug">;
  readonly wallMs: () => number;
};
export type WorldFaultShown = {
  readonly name: WorldFault;
  readonly on: boolean;
  readonly words: string;
};

export class WorldFaults {
  readonly #parts: WorldFaultParts;
  readonly #on = new Set<WorldFault>();

  constructor(parts: WorldFaultParts) {
    this.#parts = parts;
  }

  shown(): readonly WorldFaultShown[] {
    return WORLD_FAULT_NAMES.map((name) => ({
      name,
      on: this.#on.has(name),
      words: WORLD_FAULTS[name],
    }));
  }

  /** Why it cannot be switched, or undefined. */
  set(fault: WorldFault, on: boolean): string | undefined {
    const { simulation, network, module, reader, wallMs } = this.#parts;
    if (NEEDS[fault] === "network" && network === undefined)
      return "the module's connection does not go through this car's network (--network)";
    if (NEEDS[fault] === "module" && module?.state() === undefined)
      return "this car does not supply the module (kerbside-sim module)";
    if (on) this.#on.add(fault);
    else this.#on.delete(fault);
    for (const body of BODY[fault] ?? []) simulation.act({ type: "fault", fault: body, on });
    if (fault === "moduleStolen") reader.unplug(on);
    const has = (name: WorldFault): boolean => this.#on.has(name);
    network?.setCoverage(
      has("noCoverage") || has("garage") ? "none" : has("weakCoverage") ? "weak" : "full",
    );
    if (NEEDS[fault] === "module")
      module?.order({
        power: has("powerCut") ? "off" : "on",
        clockOffsetMs: has("clockWrong") ? -wallMs() : 0,
        diskFull: has("diskFull"),
      });
    return undefined;
  }
}
