/** Bytes of a DBC file to text. Tools of the trade write cp1252, newer ones UTF-8; none says which. */

/** Windows code page 1252, 0x80 to 0x9f; the five holes map to the C1 control of the same number. */
const CP1252_HIGH =
  "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f" +
  "\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** UTF-8 if every byte of it is valid UTF-8 (a byte order mark is dropped), else cp1252. Never throws. */
export function decodeDbcText(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return decodeCp1252(bytes);
  }
}

/** Not TextDecoder's: its windows-1252 has been plain latin-1 in some releases of Node. */
function decodeCp1252(bytes: Uint8Array): string {
  const latin1 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  return latin1.replace(/[\x80-\x9f]/g, (c) => CP1252_HIGH.charAt(c.charCodeAt(0) - 0x80));
}
