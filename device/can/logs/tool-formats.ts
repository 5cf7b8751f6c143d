/** Logs of other tools, as SavvyCAN and the tools themselves write them. Ids and bytes are hexadecimal. */
import {
  bytesOf,
  frameOf,
  LineProblem,
  type LineReader,
  type LineResult,
  type LogFormat,
  microseconds,
  textReader,
} from "./format.ts";

const words = (text: string): string[] =>
  text
    .trim()
    .split(/\s+/)
    .filter((w) => w !== "");

const CRTD = /^(\d{1,12})\.(\d{1,9})\s+(\d*)([RT])(11|29)\s+([0-9a-fA-F]{1,8})(?:\s+(.*))?$/;
const CRTD_OTHER = /^\d+\.\d+\s+\d*C[A-Z]{2}\b/;

/** OVMS' CRTD: `166.064000 R11 0000021A FE 36`; the bus is the digit before R or T. */
const crtd: LogFormat = {
  name: "CRTD",
  recognises: (line) => CRTD.test(line.trim()) || CRTD_OTHER.test(line.trim()),
  open: () =>
    textReader((line) => {
      const found = CRTD.exec(line);
      if (found === null) {
        return CRTD_OTHER.test(line) ? null : new LineProblem("expected a line of CRTD");
      }
      const [, seconds = "", fraction = "", bus = "", , bits, id = "", data = ""] = found;
      return frameOf({
        timeUs: microseconds(seconds, fraction),
        bus: bus === "" ? "0" : bus,
        id: Number.parseInt(id, 16),
        ext: bits === "29",
        data: bytesOf(words(data), null),
      });
    }),
};

const GVRET_HEADER = /^Time Stamp,ID,Extended,/i;

/** GVRET's CSV: columns by its header, microseconds, all eight data columns filled whatever the length. */
const gvret: LogFormat = {
  name: "GVRET CSV",
  recognises: (line) => GVRET_HEADER.test(line.trim()),
  open: (): LineReader => {
    let columns = new Map<string, number>();
    return textReader((line) => {
      const cells = line.split(",").map((cell) => cell.trim());
      if (GVRET_HEADER.test(line)) {
        columns = new Map(cells.map((name, i) => [name.toLowerCase(), i]));
        return null;
      }
      const cell = (name: string): string => cells[columns.get(name) ?? -1] ?? "";
      const length = Number(cell("len"));
      const time = cell("time stamp");
      if (!/^\d{1,15}$/.test(time)) return new LineProblem("the time stamp is no whole number");
      const first = columns.get("d1") ?? 0;
      const data = cells.slice(first, first + length);
      return frameOf({
        timeUs: Number(time),
        bus: cell("bus"),
        id: idOf(cell("id")),
        ext: cell("extended").toLowerCase() === "true",
        data: bytesOf(data, length),
      });
    });
  },
};

function idOf(text: string): number {
  return /^(?:0x)?[0-9a-fA-F]{1,8}$/i.test(text) ? Number.parseInt(text, 16) : Number.NaN;
}

const GENERIC_HEADER = /^ID,Data Bytes$/i;

/** `ID,Data Bytes`: no time, no bus. */
const generic: LogFormat = {
  name: "generic CSV",
  recognises: (line) => GENERIC_HEADER.test(line.trim()),
  open: () =>
    textReader((line) => {
      if (GENERIC_HEADER.test(line)) return null;
      const [id = "", data = ""] = line.split(",");
      return frameOf({
        timeUs: null,
        bus: "0",
        id: idOf(id.trim()),
        ext: null,
        data: bytesOf(words(data), null),
      });
    }),
};

const MICROCHIP = /^(\d{1,12});([RT]X);0x([0-9a-fA-F]{1,8});(\d{1,2});(.*)$/;
const MICROCHIP_HEADER = /^(?:\/\/-+|Microchip|CAN BUS Analyzer|SavvyCAN|Logging Started)/;

/** Microchip CAN BUS Analyzer: `milliseconds;RX;0xid;length;0xbyte;…;`. */
const microchip: LogFormat = {
  name: "Microchip CAN BUS Analyzer",
  recognises: (line) => MICROCHIP.test(line.trim()),
  open: () =>
    textReader((line) => {
      const found = MICROCHIP.exec(line);
      if (found === null) {
        if (MICROCHIP_HEADER.test(line)) return null;
        return new LineProblem("expected time;direction;id;length;data");
      }
      const [, time, , id = "", length, data = ""] = found;
      const cells = data.split(";").filter((cell) => cell.trim() !== "");
      return frameOf({
        timeUs: Number(time) * 1000,
        bus: "0",
        id: Number.parseInt(id, 16),
        ext: null,
        data: bytesOf(
          cells.map((cell) => cell.trim().replace(/^0x/i, "")),
          Number(length),
        ),
      });
    }),
};

const ANALYZER_HEADER = /^@ TEXT @/;
const ANALYZER = /^(\d{1,12}),(\d{1,9})\t([^\t]*)\t[^\t]*\t([0-9a-fA-F]{1,8})\t(\d{1,2})\t([^\t]*)/;

/** CAR BUS Analyzer: tabs, seconds with a decimal comma, the id in three or eight digits. */
const carBusAnalyzer: LogFormat = {
  name: "CAR BUS Analyzer",
  recognises: (line) => ANALYZER_HEADER.test(line.trim()),
  open: () =>
    textReader((line) => {
      if (ANALYZER_HEADER.test(line)) return null;
      const found = ANALYZER.exec(line);
      if (found === null) return new LineProblem("expected columns between tabs");
      const [, seconds = "", fraction = "", bus = "", id = "", length, data = ""] = found;
      return frameOf({
        timeUs: microseconds(seconds, fraction),
        bus,
        id: Number.parseInt(id, 16),
        ext: id.length > 3,
        data: bytesOf(words(data), Number(length)),
      });
    }),
};

const BUSMASTER_HEADER = /^\*\*\*/;
const BUSMASTER =
  /^(\d{1,4}):(\d\d):(\d\d):(\d{1,4})\s+[RT]x\s+(\S+)\s+(?:0x)?([0-9a-fA-F]{1,10})\s+([sx])(r?)\s+(\d{1,2})\s*(.*)$/;
const BUSMASTER_START =
  /START DATE AND TIME (\d{1,2}):(\d{1,2}):(\d{4}) (\d{1,2}):(\d\d):(\d\d):(\d{3})/;
const DAY_US = 86_400_000_000;

/**
 * BUSMASTER: `22:20:14:992 Rx 0 0000021A s 8 FE 36`, under headers in asterisks. In system mode times are of
 * the clock on the wall, on the day that the header names (taken as UTC); else they count from the start.
 */
const busmaster: LogFormat = {
  name: "BUSMASTER",
  recognises: (line) => /^\*\*\*BUSMASTER/.test(line.trim()),
  open: () => textReader(busmasterLine()),
};

function busmasterLine(): (line: string) => LineResult {
  let dayUs = 0;
  let mode: "system" | "absolute" | "relative" = "absolute";
  let radix: 10 | 16 = 16;
  let lastUs = 0;
  const header = (line: string): null => {
    const start = BUSMASTER_START.exec(line);
    if (start !== null) {
      dayUs = Date.UTC(Number(start[3]), Number(start[2]) - 1, Number(start[1])) * 1000;
    }
    if (/^\*\*\*DEC\*\*\*/.test(line)) radix = 10;
    if (/^\*\*\*HEX\*\*\*/.test(line)) radix = 16;
    if (/^\*\*\*SYSTEM MODE/.test(line)) mode = "system";
    if (/^\*\*\*RELATIVE MODE/.test(line)) mode = "relative";
    return null;
  };
  return (line) => {
    if (BUSMASTER_HEADER.test(line)) return header(line);
    const found = BUSMASTER.exec(line);
    if (found === null) return new LineProblem("expected a line of BUSMASTER");
    const [, h, m, s, fraction = "", bus = "", id = "", type, remote, length, data = ""] = found;
    const clock = Number(h) * 3600 + Number(m) * 60 + Number(s);
    // Four digits are tenths of a millisecond; fewer are milliseconds, which SavvyCAN does not pad.
    let timeUs = clock * 1_000_000 + Number(fraction) * (fraction.length === 4 ? 100 : 1000);
    if (mode === "relative") timeUs += lastUs;
    if (mode === "system") {
      timeUs += dayUs;
      // Past midnight: the header names only the day of the start.
      while (timeUs < lastUs - DAY_US / 2) timeUs += DAY_US;
    }
    lastUs = timeUs;
    return frameOf({
      timeUs,
      bus,
      id: Number.parseInt(id, radix),
      ext: type === "x",
      remote: remote === "r",
      data: remote === "r" ? new Uint8Array(0) : bytesOf(words(data), Number(length), radix),
    });
  };
}

export const toolFormats: readonly LogFormat[] = [
  crtd,
  gvret,
  generic,
  microchip,
  carBusAnalyzer,
  busmaster,
];
