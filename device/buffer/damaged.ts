/** The content of the database is not what was written: it is set aside, whole. */
export class DamagedError extends Error {
  override readonly name = "DamagedError";
}
