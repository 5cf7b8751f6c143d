/** What is around the car's body: the mobile network, the module's supervisor, and looks into module and cloud. */
import type { Clock, Random } from "@kerbside/protocol";
import { type CloudView, readAccess, watchCloud } from "../cockpit/cloud-view.ts";
import { type ModuleView, watchModule } from "../cockpit/module-view.ts";
import { type ModuleLine, serveModuleLine } from "../module/module-line.ts";
import { type MobileNetwork, openNetwork } from "../network/mobile-network.ts";

export type OutsideOptions = {
  /** Where the mobile network leads that the module's connection goes through; left out, there is none of ours. */
  readonly network?: { readonly host: string; readonly port: number };
  /** The agent's data directory, to be looked into. */
  readonly moduleDir?: string;
  /** A file that says how to ask the operator's API for the car's commands. */
  readonly cloudFile?: string;
  readonly clock: Clock;
  readonly random: Random;
};
export type Outside = {
  readonly network: MobileNetwork | undefined;
  readonly module: ModuleLine;
  readonly moduleView: ModuleView | undefined;
  readonly cloudView: CloudView | undefined;
  readonly close: () => Promise<void>;
};

/** `modulePath`: of the socket for the module's supervisor. */
export async function openOutside(
  { network: to, moduleDir, cloudFile, clock, random }: OutsideOptions,
  modulePath: string,
): Promise<Outside> {
  const access = cloudFile === undefined ? undefined : readAccess(cloudFile);
  const network = to === undefined ? undefined : await openNetwork({ to, clock, random });
  const module = await serveModuleLine(modulePath);
  const moduleView = moduleDir === undefined ? undefined : watchModule(moduleDir, clock);
  const cloudView = access === undefined ? undefined : watchCloud(access, clock);
  return {
    ...{ network, module, moduleView, cloudView },
    close: async () => {
      await cloudView?.close();
      await moduleView?.close();
      await module.close();
      await network?.close();
    },
  };
}
