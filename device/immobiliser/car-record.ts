/**
 * What the car remembers of itself, in a two-copy file of its own: the rental that is open, and what was last sensed
 * before the power went. It outlives the event buffer. Where the disk fails it goes on in memory and says so.
 */
import {
  bookingCodec,
  choice,
  decode,
  encode,
  field,
  optional,
  RENTAL_OPENERS,
  type SensedState,
  sensedCodec,
  struct,
  text,
} from "@kerbside/protocol";
import type { Rental } from "./rental.ts";
import { NOTHING_SENSED } from "./sensed.ts";
import { openTwoCopyFile } from "./two-copy-file.ts";

const internal = { class: "Internal" } as const;
const personal = { class: "Confidential", tag: "SPI" } as const;
const rentalCodec = struct("open rental", {
  booking: field(0, bookingCodec, { ...personal, doc: "the booking" }),
  openedBy: field(1, choice(RENTAL_OPENERS), { ...personal, doc: "what opened it" }),
  credential: optional(2, text(64), { ...personal, doc: "which card or phone" }),
  phase: field(3, choice(["unstarted", "driving", "parked"]), {
    ...personal,
    doc: "what it is in",
  }),
});
const recordCodec = struct("the car's record of itself", {
  rental: optional(0, rentalCodec, { ...personal, doc: "missing: none is open" }),
  sensed: field(1, sensedCodec, { ...internal, doc: "the contacts as last seen" }),
});

export type CarRecord = {
  readonly rental: () => Rental;
  /** The contacts as they were last seen, also before the power was cut. */
  readonly sensed: () => SensedState;
  /** Resolves with whether it reached the disk; it counts from now on either way. */
  readonly keepRental: (rental: Rental) => Promise<boolean>;
  readonly keepSensed: (sensed: SensedState) => Promise<boolean>;
  /** Whether the last write reached the disk. */
  readonly works: () => boolean;
  /** It was there and could not be read. */
  readonly damaged: boolean;
  readonly close: () => Promise<void>;
};

type Content = { readonly rental: Rental; readonly sensed: SensedState };

function read(content: Uint8Array): Content | undefined {
  try {
    const { rental, sensed } = decode(recordCodec, content);
    return {
      rental: rental === undefined ? { value: "none" } : { value: "open", ...rental },
      sensed,
    };
  } catch {
    // Whatever is wrong with it, it is no record.
    return undefined;
  }
}

function write({ rental, sensed }: Content): Uint8Array {
  if (rental.value !== "open") return encode(recordCodec, { sensed });
  const { value: _value, ...kept } = rental;
  return encode(recordCodec, { rental: kept, sensed });
}

/** Opens the record at `path` (two files). Throws what the file system throws on opening. */
export async function openCarRecord(path: string): Promise<CarRecord> {
  const file = await openTwoCopyFile(path);
  const stored = read(file.content ?? new Uint8Array());
  const damaged = file.damaged || (file.content !== undefined && stored === undefined);
  // A car that never had a record has no rental; one whose record is gone may have.
  const lost: Content = { rental: { value: damaged ? "unknown" : "none" }, sensed: NOTHING_SENSED };
  let content = stored ?? lost;
  let works = true;
  const keep = async (next: Content): Promise<boolean> => {
    content = next;
    // While the rental is unknown the damaged file stays: the next start must not take it for none.
    if (next.rental.value === "unknown") return works;
    works = await file.write(write(next)).then(
      () => true,
      () => false,
    );
    return works;
  };
  return {
    damaged,
    rental: () => content.rental,
    sensed: () => content.sensed,
    keepRental: (rental) => keep({ ...content, rental }),
    keepSensed: (sensed) => keep({ ...content, sensed }),
    works: () => works,
    close: file.close,
  };
}
