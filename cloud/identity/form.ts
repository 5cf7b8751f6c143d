/** The fields of a form as a browser posts it, read within bounds. */
import type { IncomingMessage } from "node:http";
import { ProtocolError } from "@kerbside/protocol";

const BODY_BYTES_MAX = 8192;
const FIELDS_MAX = 16;
const TYPE = "application/x-www-form-urlencoded";

export type Form = Readonly<Record<string, string>>;

/** Throws ProtocolError `malformed`. */
export async function readForm(request: IncomingMessage): Promise<Form> {
  const [type] = (request.headers["content-type"] ?? "").split(";", 1);
  if (type !== TYPE) throw new ProtocolError("malformed", "form: expected one as a browser sends");
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request) {
    if (!(part instanceof Buffer)) throw new ProtocolError("malformed", "form: expected bytes");
    length += part.length;
    if (length > BODY_BYTES_MAX) throw new ProtocolError("malformed", "form: is too long");
    parts.push(part);
  }
  const fields = [...new URLSearchParams(Buffer.concat(parts).toString("utf8"))];
  if (fields.length > FIELDS_MAX) throw new ProtocolError("malformed", "form: has too many fields");
  // A form is nobody's prototype.
  return Object.assign(Object.create(null), Object.fromEntries(fields));
}
