/**
 * Bugs to be planted, as a table: each is one change of one place in the packages under test, as a tired author might
 * make it. A simulation that lets one of them pass proves nothing.
 */
import type { Edit } from "./hooks.ts";

export type Plant = Edit & {
  readonly name: string;
  /** A world in which it shows, and which holds without it. */
  readonly seed: number;
  /** What the simulation must say of it. */
  readonly says: RegExp;
};

const LOST = /is lost|declared as gone without|not everything was delivered/;

export const PLANTS: readonly Plant[] = [
  {
    name: "commits are not flushed (synchronous = NORMAL)",
    seed: 1,
    file: "device/buffer/database.ts",
    from: `  db.pragma("synchronous = FULL");
  // better-sqlite3 is built to fall back to NORMAL in WAL mode; 2 is FULL.
  const mode = db.pragma("synchronous", { simple: true });`,
    to: `  db.pragma("synchronous = NORMAL");
  const mode = 2;`,
    says: LOST,
  },
  {
    name: "events are confirmed before they are committed",
    seed: 58,
    file: "device/buffer/buffer.ts",
    from: "      this.#waiting.push({ lane, plain, done, failed });",
    to: `      this.#waiting.push({ lane, plain, done: () => undefined, failed });
      const state = this.#state;
      if (state.kind === "working") {
        const before = state.engine.lastNumbers()[lane] ?? 0;
        const waiting = this.#waiting.filter((each) => each.lane === lane).length;
        done({ lane, log: state.engine.log, seq: before + waiting });
      }`,
    says: LOST,
  },
  {
    name: "events of state wait too long",
    seed: 1,
    file: "device/buffer/limits.ts",
    from: "return Math.max(0, window - COMMIT_TAKES_MS);",
    to: "return Math.max(0, 2 * window - COMMIT_TAKES_MS);",
    says: /was confirmed after/,
  },
  {
    name: "all rows of a segment have one nonce",
    seed: 1,
    file: "device/buffer/lane-keys.ts",
    from: "      nonce.set(number, nonce.length - number.length);",
    to: "",
    says: /used twice/,
  },
  {
    name: "rows of a crash are wrapped one short",
    seed: 15,
    file: "device/buffer/log-start.ts",
    from: "const sealed = rows.map((row) => row.sealed);",
    to: "const sealed = rows.map((row) => row.sealed).slice(0, Math.max(1, rows.length - 1));",
    says: /is lost|expected number|not everything|declared as gone/,
  },
  {
    name: "old keys are kept when a segment closes",
    seed: 17,
    file: "device/buffer/lane-keys.ts",
    from: `      const next = ratchetNext(ratchet);
      wipe();`,
    to: "      const next = ratchetNext(ratchet);",
    says: /keys of events are in memory/,
  },
  {
    name: "the ratchet does not move",
    seed: 1,
    file: "device/buffer/lane-keys.ts",
    from: "      const next = ratchetNext(ratchet);",
    to: "      const next = Uint8Array.from(ratchet); void ratchetNext;",
    says: /used twice|declared as gone without|quarantined/,
  },
  {
    name: "the root of a log is kept in place of the key of acknowledgements",
    seed: 1,
    file: "device/buffer/log-start.ts",
    from: "ack_key: ackKeyOf(root, { ...settings.address, log }),",
    to: "ack_key: (void ackKeyOf, Uint8Array.from(root)),",
    says: /the root of a log went to/,
  },
  {
    name: "events are written in plain",
    seed: 1,
    file: "device/buffer/lane-writer.ts",
    from: "statements.putRow.run(placeKey(lane, at.slot, seq), sealed);",
    to: "statements.putRow.run(placeKey(lane, at.slot, seq), plain);",
    says: /in plain/,
  },
  {
    name: "the log after a crash says that the one before ended in order",
    seed: 1,
    file: "device/buffer/log-start.ts",
    from: "previousEndedCleanly: previous === undefined || previous.clean === LOG_END.clean,",
    to: "previousEndedCleanly: true,",
    says: /says of the one before/,
  },
  {
    name: "a log goes on after a failed commit, and gives its numbers out again",
    seed: 12,
    file: "device/buffer/buffer.ts",
    from: "this.#state = this.#open(engine.lastNumbers(), engine, RETRY_MS_MIN, damage);",
    to: 'this.#state = damage === undefined ? { kind: "working", engine } : this.#open(engine.lastNumbers(), engine, RETRY_MS_MIN, damage);',
    says: /used twice|is lost|expected number|alarm|not everything/,
  },
  {
    name: "rows of a crash are forgotten",
    seed: 3,
    file: "device/buffer/log-start.ts",
    from: "if (rows.length > 0) {",
    to: "if (rows.length > Number.MAX_SAFE_INTEGER) {",
    says: LOST,
  },
  {
    name: "the MAC of acknowledgements is not checked",
    seed: 85,
    file: "device/buffer/forget.ts",
    from: "return verify(log.ack_key)",
    to: "return (void verify, true)",
    says: LOST,
  },
  {
    name: "the hash in acknowledgements is not checked",
    seed: 123,
    file: "device/buffer/forget.ts",
    from: "return replaced || equalBytes(segment.hash, hash);",
    to: "return replaced || equalBytes(segment.hash, segment.hash);",
    says: LOST,
  },
  {
    name: "what was sent counts as delivered",
    seed: 5,
    file: "device/uplink/uplink.ts",
    from: "      this.#flight.sent(segment.key, clock.bootMs());",
    to: "      this.#flight.sent(segment.key, Number.MAX_SAFE_INTEGER);",
    says: LOST,
  },
  {
    name: "the store keeps what it has already",
    seed: 1,
    file: "cloud/tenants/segments.ts",
    from: "commitOne(batch, segment, keys.get(segment.header.vehicle));",
    to: `((again: OpenedSegment) => commitOne(batch, again, keys.get(again.header.vehicle)))({
        ...segment, headerHash: Uint8Array.from(segment.headerHash, (byte, i) => (i === 0 ? Math.floor(Math.random() * 256) : byte)),
      });`,
    says: /stored twice|alarm|not everything/,
  },
  {
    name: "the mark moves past what is missing",
    seed: 5,
    file: "cloud/tenants/marks.ts",
    from: "number === tip.mark.upTo + 1 && equalBytes(previousHash, tip.mark.hash);",
    to: "number > tip.mark.upTo && (void previousHash, true);",
    says: LOST,
  },
  {
    name: "ingest acknowledges before it stores",
    seed: 5,
    file: "cloud/ingest/ingest.ts",
    from: "const outcome = await this.#committer(store).commit({ header, headerHash, ...kept });",
    to: `const mark = { lane: header.lane, upTo: header.number, hash: headerHash, ranges: [] };
    this.#acks.stored({ marks: async () => [mark] }, keys);
    const outcome = await this.#committer(store).commit({ header, headerHash, ...kept });`,
    says: LOST,
  },
  {
    name: "the directories of a new buffer are not flushed",
    seed: 1_000_033,
    file: "device/buffer/buffer.ts",
    from: "if (made !== undefined) syncMade(dir, made);",
    to: "void made; void syncMade;",
    says: LOST,
  },
  {
    name: "of new directories one in another only the first is flushed",
    seed: 1_000_132,
    file: "device/buffer/set-aside.ts",
    from: "for (let made = dir; ; made = dirname(made)) {",
    to: "for (let made = first; ; made = dirname(made)) {",
    says: LOST,
  },
  {
    name: "a page that cannot be read is taken for damage",
    seed: 1_000_586,
    file: "device/buffer/database.ts",
    from: "const disk = code !== undefined && (Number(code) & 255) === IOERR;",
    to: "const disk = code === String(IOERR - 1);",
    says: LOST,
  },
  {
    name: "a migration says that it is done in a commit of its own",
    seed: 2_000_249,
    file: "device/buffer/database.ts",
    from: `    db.pragma(\`user_version = \${MIGRATIONS.length}\`);
  }).immediate();`,
    to: `  }).immediate();
  db.pragma(\`user_version = \${MIGRATIONS.length}\`);`,
    says: LOST,
  },
  {
    name: "a log that was beginning anew is taken for damage",
    seed: 2_000_218,
    file: "device/buffer/wal-check.ts",
    from: "return isOver(dir, wal, little) ? undefined :",
    to: "return isOver(dir, wal, little) && false ? undefined :",
    says: LOST,
  },
  {
    name: "of two segments with one number only the first is stored",
    seed: 2_000_004,
    file: "cloud/tenants/segments.ts",
    from: "  const fork = known.length > 0;",
    to: `  if (known.length > 0) return "duplicate";
  const fork = false;`,
    says: LOST,
  },
  {
    name: "the store trusts a log of which a flush failed",
    seed: 1_004_413,
    file: "cloud/tenants/database.ts",
    from: `if (occasion === "after failure") writeLogAgain(db, file);`,
    to: "void writeLogAgain;",
    says: LOST,
  },
  {
    name: "what a machine set aside before it died is never told of",
    seed: 20_122,
    file: "device/buffer/engine.ts",
    from: "const asides = newest === undefined ? unreported(dir) : [];",
    to: "const asides = newest === undefined && walWasThere ? unreported(dir) : [];",
    says: /is told of 0 times/,
  },
  {
    name: "what was set aside is told of at each start",
    seed: 1386,
    file: "device/buffer/engine.ts",
    from: `    const asides = newest === undefined ? unreported(dir) : [];
    const log = startLog(db, statements, settings, lost, asides.map(settings.setAsideEvent));
    reported(dir);`,
    to: `    const asides = unreported(dir);
    const log = startLog(db, statements, settings, lost, asides.map(settings.setAsideEvent)); void reported;`,
    says: /is told of [2-9] times/,
  },
  {
    name: "the last rows of a segment are not written",
    seed: 2,
    file: "cloud/tenants/put-events.ts",
    from: "  rows.end();",
    to: "",
    says: LOST,
  },
  {
    name: "the store's commits are not flushed",
    seed: 12,
    file: "cloud/tenants/database.ts",
    from: `  db.pragma("synchronous = FULL");
  expect("synchronous", SYNCHRONOUS_FULL);`,
    to: `  db.pragma("synchronous = OFF"); void SYNCHRONOUS_FULL;`,
    says: /is lost|not everything|storage|declared|expected number/,
  },
];
