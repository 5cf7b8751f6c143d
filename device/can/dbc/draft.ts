/**
 * A DBC while it is being read: statements come in any order and refer to each other by id and name,
 * so they fill drafts, and `link.ts` makes the final model of them.
 */
import type { DbcAttribute, DbcProblem, MuxRange } from "./model.ts";
import { PROBLEMS_MAX } from "./model.ts";
import type { Scanner } from "./scanner.ts";

export type SignalDraft = {
  name: string;
  at: number;
  start: number;
  length: number;
  bigEndian: boolean;
  signed: boolean;
  float: boolean;
  scale: number;
  offset: number;
  min: number;
  max: number;
  unit: string;
  receivers: string[];
  comment: string | null;
  choices: ReadonlyMap<number | bigint, string>;
  attributes: Map<string, DbcAttribute>;
  selector: boolean;
  /** The number after `m`; null for a signal that is always there. */
  muxId: number | null;
  extended: { parent: string; ranges: MuxRange[]; at: number } | null;
};

export type MessageDraft = {
  /** As written, flag included. */
  dbcId: number;
  id: number;
  ext: boolean;
  name: string;
  at: number;
  length: number;
  sender: string;
  signals: SignalDraft[];
  comment: string | null;
  attributes: Map<string, DbcAttribute>;
};

/** A statement that refers to something; applied once everything is known. */
export type Reference = {
  at: number;
  dbcId: number;
  signal: string | null;
  apply: (message: MessageDraft, signal: SignalDraft | null) => string | null;
};

export type AttributeDefinition = { words: string[] | null; initial: DbcAttribute | null };

export class Draft {
  readonly file: string;
  readonly scanner: Scanner;
  version = "";
  comment: string | null = null;
  readonly nodes: string[] = [];
  readonly messages: MessageDraft[] = [];
  readonly references: Reference[] = [];
  readonly attributes: Map<string, DbcAttribute> = new Map();
  readonly definitions: Map<string, AttributeDefinition> = new Map();
  /** Ids whose BO_ line was lost or is the pseudo message: references to them say nothing new. */
  readonly forgotten: Set<number> = new Set();
  /** The message that SG_ lines belong to; null when its BO_ was not understood. */
  current: MessageDraft | null = null;
  readonly problems: DbcProblem[] = [];
  problemsUnlisted = 0;

  constructor(file: string, scanner: Scanner) {
    this.file = file;
    this.scanner = scanner;
  }

  report(severity: "error" | "warning", at: number, message: string): void {
    if (this.problems.length >= PROBLEMS_MAX) {
      this.problemsUnlisted++;
      return;
    }
    this.problems.push({ file: this.file, ...this.scanner.position(at), severity, message });
  }

  definition(name: string): AttributeDefinition {
    const known = this.definitions.get(name);
    if (known !== undefined) return known;
    const made: AttributeDefinition = { words: null, initial: null };
    this.definitions.set(name, made);
    return made;
  }
}
