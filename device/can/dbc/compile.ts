/** Compiled messages and databases: what turns frames into values, and finds the message of a frame. */
import {
  EncodeError,
  type EncodeOptions,
  type EncodeValues,
  encodeMessage,
  write,
} from "./encode.ts";
import { extractRaw, type RawValue } from "./extract.ts";
import {
  DECODED_ALL,
  DECODED_NONE,
  DECODED_SOME,
  type DecodeInto,
  type DecodeStatus,
  generateSource,
  type Helpers,
  instantiate,
  instantiateObjects,
  type ObjectMaker,
} from "./generate.ts";
import { J1939_GLOBAL_ADDRESS, J1939_NULL_ADDRESS, pgnOf } from "./j1939.ts";
import type { Dbc, DbcMessage } from "./model.ts";
import { type MuxPlan, planOf, presenceIn } from "./presence.ts";

/** A message with its decoders. Signal i of `message.signals` has slot i. Code is made at the first frame. */
export class CompiledMessage {
  readonly message: DbcMessage;
  readonly plan: MuxPlan;
  /** @see DecodeInto */
  decodeInto: DecodeInto;
  private slots: Float64Array = new Float64Array(0);
  private present: Uint8Array = new Uint8Array(0);
  private readonly helpers: Helpers = {
    partial: (data, slots, at, present) => this.decodePartial(data, slots, at, present),
    slow: (slot, data) => Number(this.rawOf(slot, data) ?? Number.NaN),
  };
  private objects: ObjectMaker | null = null;

  constructor(message: DbcMessage) {
    this.message = message;
    this.plan = planOf(message);
    this.decodeInto = (data, slots, at, present): DecodeStatus => {
      this.decodeInto = this.generate();
      return this.decodeInto(data, slots, at, present);
    };
  }

  /** Slots that `decodeInto` needs. */
  get slotCount(): number {
    return this.message.signals.length;
  }

  /** Index of a signal's slot; -1 if the message has none of that name. */
  slotOf(signal: string): number {
    return this.message.signals.findIndex((s) => s.name === signal);
  }

  /**
   * Exact raw value of a signal, whether or not multiplexing says that it is there: a bigint above
   * NUMBER_BITS_MAX bits, a double for floats, null if the frame is too short for it.
   */
  rawOf(slot: number, data: Uint8Array): RawValue | null {
    const field = this.plan.fields[slot];
    return field === undefined || field.bytes > data.length ? null : extractRaw(field, data);
  }

  /** What a raw value stands for, by the same arithmetic as decoding. */
  physicalOf(slot: number, raw: RawValue): number {
    const signal = this.message.signals[slot];
    return signal === undefined ? Number.NaN : Number(raw) * signal.scale + signal.offset;
  }

  /** Physical values by name; null if a selector's value stands for nothing. */
  decode(data: Uint8Array): Record<string, number> | null {
    const objects = this.objects ?? this.makeObjects();
    const whole = objects.fromFrame(data);
    if (whole !== null) return whole;
    const status = this.decodeInto(data, this.slots, 0, this.present);
    if (status === DECODED_NONE) return null;
    return objects.fromSlots(this.slots, status === DECODED_ALL ? null : this.present);
  }

  private makeObjects(): ObjectMaker {
    this.slots = new Float64Array(this.slotCount);
    this.present = new Uint8Array(this.slotCount);
    this.objects = instantiateObjects(this.message, this.plan, this.helpers);
    return this.objects;
  }

  /** Exact raw values by name, of the signals that `decode` gives; null where that does. */
  decodeRaw(data: Uint8Array): Record<string, RawValue> | null {
    const { present, unknown } = presenceIn(this.message, this.plan, data);
    if (unknown >= 0) return null;
    const values: Record<string, RawValue> = Object.create(null);
    for (const [i, signal] of this.message.signals.entries()) {
      const field = this.plan.fields[i];
      if (field === undefined || present[i] !== true) continue;
      values[signal.name] = extractRaw(field, data);
    }
    return values;
  }

  /** For a frame that `decode` refuses: the selector and its value. Null for any other. */
  unknownSelector(data: Uint8Array): { name: string; value: RawValue } | null {
    const { unknown } = presenceIn(this.message, this.plan, data);
    const signal = this.message.signals[unknown];
    const value = unknown < 0 ? null : this.rawOf(unknown, data);
    return signal === undefined || value === null ? null : { name: signal.name, value };
  }

  /** Throws EncodeError, naming signal and reason. */
  encode(values: EncodeValues, options?: EncodeOptions): Uint8Array {
    return encodeMessage(this.message, this.plan, values, options);
  }

  /**
   * Writes one raw value into a frame, in place: what `encode` with `raw` and a base gives, without a new frame. Throws
   * EncodeError, naming signal and reason.
   */
  put(slot: number, data: Uint8Array, raw: RawValue): void {
    const name = this.message.signals[slot]?.name;
    if (name === undefined) return;
    // Whether it is there at all hangs on what else the frame says.
    if ((this.plan.parents[slot] ?? -1) >= 0)
      data.set(this.encode({ [name]: raw }, { raw: true, base: data }));
    else write(this.message, this.plan, data, slot, raw);
  }

  private generate(): DecodeInto {
    const source = generateSource(this.message, this.plan);
    return source === null ? this.helpers.partial : instantiate(source, this.helpers);
  }

  private decodePartial(
    data: Uint8Array,
    slots: Float64Array,
    at: number,
    present: Uint8Array,
  ): DecodeStatus {
    const found = presenceIn(this.message, this.plan, data);
    present.fill(0, at, at + this.slotCount);
    if (found.unknown >= 0) return DECODED_NONE;
    let absent = 0;
    for (let i = 0; i < this.slotCount; i++) {
      const raw = found.present[i] === true ? this.rawOf(i, data) : null;
      if (raw === null) {
        absent++;
        continue;
      }
      slots[at + i] = this.physicalOf(i, raw);
      present[at + i] = 1;
    }
    return absent === 0 && !this.plan.multiplexed ? DECODED_ALL : DECODED_SOME;
  }
}

export type DecodedFrame = {
  readonly message: CompiledMessage;
  /** Physical values by signal name (no prototype: any name is safe); null if a selector's value stands for nothing. */
  readonly signals: Record<string, number> | null;
};

/** Beyond the 29 bits of an identifier: tells 0x123 of 11 bits from 0x123 of 29. */
const EXTENDED_KEY = 0x20000000;

/** One or more DBCs, ready to decode. Where two messages have the same id, the later one counts. */
export class CompiledDbc {
  readonly messages: readonly CompiledMessage[];
  private readonly byId = new Map<number, CompiledMessage>();
  private readonly byName = new Map<string, CompiledMessage>();
  private readonly byPgn = new Map<number, CompiledMessage[]>();

  constructor(dbcs: readonly Dbc[]) {
    this.messages = dbcs.flatMap((dbc) => dbc.messages.map((m) => new CompiledMessage(m)));
    for (const compiled of this.messages) {
      const { id, ext, name, j1939 } = compiled.message;
      this.byId.set(ext ? id + EXTENDED_KEY : id, compiled);
      this.byName.set(name, compiled);
      if (!j1939) continue;
      const group = this.byPgn.get(pgnOf(id));
      if (group === undefined) this.byPgn.set(pgnOf(id), [compiled]);
      else group.push(compiled);
    }
  }

  /**
   * The message of an identifier. A J1939 message that no id equals is found by its parameter group: the
   * one of the same source address, else one for any source, else the first.
   */
  find(id: number, ext: boolean): CompiledMessage | undefined {
    const exact = this.byId.get(ext ? id + EXTENDED_KEY : id);
    if (exact !== undefined || !ext || this.byPgn.size === 0) return exact;
    const group = this.byPgn.get(pgnOf(id));
    if (group === undefined) return undefined;
    const source = id & 0xff;
    const bySource = (m: CompiledMessage): boolean => (m.message.id & 0xff) === source;
    const anySource = ({ message }: CompiledMessage): boolean =>
      (message.id & 0xff) === J1939_NULL_ADDRESS || (message.id & 0xff) === J1939_GLOBAL_ADDRESS;
    return group.find(bySource) ?? group.find(anySource) ?? group[0];
  }

  named(message: string): CompiledMessage | undefined {
    return this.byName.get(message);
  }

  /** Undefined: no message of this id. */
  decode(id: number, ext: boolean, data: Uint8Array): DecodedFrame | undefined {
    const message = this.find(id, ext);
    return message === undefined ? undefined : { message, signals: message.decode(data) };
  }

  /** A frame's bytes. Throws EncodeError, for a message that is not there too. */
  encode(message: string, values: EncodeValues, options?: EncodeOptions): Uint8Array {
    const found = this.byName.get(message);
    if (found === undefined) throw new EncodeError(message, null, "there is no such message");
    return found.encode(values, options);
  }
}

export function compileDbc(...dbcs: readonly Dbc[]): CompiledDbc {
  return new CompiledDbc(dbcs);
}

/** A message alone: its slots are its signals, in their order. */
export function compileMessage(message: DbcMessage): CompiledMessage {
  return new CompiledMessage(message);
}
