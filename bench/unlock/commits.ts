/** A durable one-row commit, as bare as SQLite has it. */
import Database from "better-sqlite3";

/** Each call is on the disk when it returns. */
export function committer(file: string): (row: Uint8Array) => void {
  const database = new Database(file);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.exec("CREATE TABLE rows (id INTEGER PRIMARY KEY, data BLOB NOT NULL)");
  const insert = database.prepare("INSERT INTO rows (data) VALUES (?)");
  return (row) => void insert.run(row);
}
