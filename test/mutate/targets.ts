/**
 * What is mutated, and the tests that have to notice: those of its own folder, as what is only noticed far away is not
 * tested where it is made. Runs with drawn inputs take no part, so that a mutant's end is the same each time, nor do
 * those that take seconds.
 */
import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Edit } from "../faults/hooks.ts";

export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

export type Target = {
  readonly name: string;
  /** Patterns of paths, from the root of the repository. */
  readonly source: readonly string[];
  readonly tests: readonly string[];
  /** A fault that its tests are known to see: it must die before anything else is believed. */
  readonly plant: Edit;
};

export const TARGETS: readonly Target[] = [
  {
    name: "immobiliser",
    source: ["device/immobiliser/*.ts"],
    tests: ["test/device/immobiliser/*.test.ts"],
    plant: {
      file: "device/immobiliser/order.ts",
      from: 'effects: [{ type: "record_intent", command }]',
      to: "effects: []",
    },
  },
  {
    name: "access",
    source: ["device/access/*.ts"],
    tests: ["test/device/access/*.test.ts"],
    plant: {
      file: "device/access/tries.ts",
      from: "if (failures < TRIES_FREE) return 0;",
      to: "if (failures >= 0) return 0;",
    },
  },
  {
    name: "commands",
    source: [
      "shared/protocol/{bytes,commands,cose,crypto,grants,ids,key-push,keys,schema,session}.ts",
      "device/uplink/{intake,key-ring,verify-command}.ts",
    ],
    tests: [
      "test/shared/protocol/{bytes,commands,contracts,crypto,grants,ids,key-push,pushed-vectors,schema,vectors}.test.ts",
      "test/device/uplink/{intake,intake-edges,key-ring}.test.ts",
    ],
    plant: {
      file: "shared/protocol/cose.ts",
      from: "if (!mine || !verifySignature(",
      to: "if (!mine && !verifySignature(",
    },
  },
  {
    name: "asking",
    source: [
      "cloud/commands/{booking-rules,session-clock}.ts",
      "cloud/commands/signer/request-signature.ts",
    ],
    tests: ["test/cloud/commands/{booking-rules,booking-tables,request-signature}.test.ts"],
    plant: {
      file: "cloud/commands/booking-rules.ts",
      from: "if (booking.vehicle !== vehicle) {",
      to: "if (false) {",
    },
  },
  {
    name: "segments",
    source: [
      "shared/protocol/{lanes,segment-message,segments}.ts",
      "cloud/ingest/{log-keys,segment}.ts",
    ],
    tests: [
      "test/shared/protocol/{contracts,segment-message,segment-vectors,segments,vectors}.test.ts",
      "test/cloud/ingest/{log-keys,segment,segment-edges}.test.ts",
    ],
    plant: {
      file: "cloud/ingest/segment.ts",
      from: "if (!equalBytes(sha256(parts.body), header.bodyHash))",
      to: "if (false)",
    },
  },
];

const DRAWN = /\/fuzz\.test\.ts$|\.long\.test\.ts$/;
/** They kill processes, replay thousands or wait out real lines: too long to be asked thousands of times. */
const LENGTHY = /\/(attacks|crash|desk|executor|flips|line)\.test\.ts$/;
const HAS_NO_CODE = /\/index\.ts$/;

const found = (patterns: readonly string[]): readonly string[] =>
  globSync([...patterns], { cwd: ROOT }).toSorted();

export const sourcesOf = ({ source }: Target): readonly string[] =>
  found(source).filter((file) => !HAS_NO_CODE.test(file));
export const testsOf = ({ tests }: Target): readonly string[] =>
  found(tests).filter((file) => !DRAWN.test(file) && !LENGTHY.test(file));
