/** The platform's two files, opened together. */
import { join } from "node:path";
import { type Database, openDatabase } from "./database.ts";
import { ANCHOR_MIGRATIONS, PLATFORM_MIGRATIONS } from "./platform-schema.ts";

export type PlatformFiles = {
  readonly platform: Database;
  readonly anchors: Database;
  readonly close: () => void;
};
export function openFiles(dir: string, create: boolean, nowMs: () => number): PlatformFiles {
  const open = (name: string, migrations: typeof PLATFORM_MIGRATIONS): Database =>
    openDatabase({ file: join(dir, name), migrations, create, nowMs });
  const platform = open("platform.sqlite", PLATFORM_MIGRATIONS);
  try {
    const anchors = open("anchors.sqlite", ANCHOR_MIGRATIONS);
    const close = (): void => {
      platform.close();
      anchors.close();
    };
    return { platform, anchors, close };
  } catch (error) {
    platform.close();
    throw error;
  }
}
