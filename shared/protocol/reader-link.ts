/**
 * The reader link between the car's module and its card and phone reader: the same paired serial session as the lock
 * link (link-session.ts), under keys that have nothing in common with that one's, speaking reader-link-messages.ts.
 */
import type { LinkDialect, LinkOptions, LinkStep } from "./link-dialect.ts";
import { LinkSession } from "./link-session.ts";
import type { LinkDomains } from "./lock-link-channel.ts";
import {
  decodeReaderPayload,
  encodeReaderPayload,
  READER_PAYLOAD_BYTES_MAX,
  type ReaderMessage,
  readerMessageRow,
  readerMessageType,
} from "./reader-link-messages.ts";

export const READER_DOMAINS: LinkDomains = {
  greeting: "kerbside/v1/reader-link/greeting",
  session: "kerbside/v1/reader-link/session",
};
export type ReaderLinkStep = LinkStep<ReaderMessage>;

const READER_DIALECT: LinkDialect<ReaderMessage> = {
  name: "reader link",
  domains: READER_DOMAINS,
  payloadBytesMax: READER_PAYLOAD_BYTES_MAX,
  row: (code) => {
    const type = readerMessageType(code);
    return type === undefined ? undefined : readerMessageRow(type);
  },
  encode: (message) => ({
    ...readerMessageRow(message.type),
    payload: encodeReaderPayload(message),
  }),
  decode: decodeReaderPayload,
};

export class ReaderLinkSession extends LinkSession<ReaderMessage> {
  /** Throws ProtocolError `malformed` unless the pairing key has 32 bytes and the id 8. */
  constructor(options: LinkOptions) {
    super(READER_DIALECT, options);
  }
}
