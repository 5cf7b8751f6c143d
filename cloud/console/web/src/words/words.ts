/** The page in a language: words with places to fill in, numbers and times as that language writes them. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { de } from "./de.ts";
import { en, type Word, type Words } from "./en.ts";

export type Language = "en" | "de";
const TABLES: Readonly<Record<Language, Words>> = { en, de };
const LANGUAGE_KEY = "kerbside.language";

export type Speech = {
  readonly language: Language;
  readonly say: (word: Word, fill?: Readonly<Record<string, string | number>>) => string;
  readonly clock: (iso: string) => string;
  readonly dayAndTime: (iso: string) => string;
  readonly measured: (value: number | undefined, unit: string, digits?: number) => string;
  readonly kilometres: (metres: number | undefined) => string;
};

export function firstLanguage(): Language {
  const kept = localStorage.getItem(LANGUAGE_KEY);
  if (kept === "en" || kept === "de") return kept;
  return navigator.language.startsWith("de") ? "de" : "en";
}

export function keepLanguage(language: Language): void {
  localStorage.setItem(LANGUAGE_KEY, language);
  document.documentElement.lang = language;
}

export function speechOf(language: Language): Speech {
  const words = TABLES[language];
  const time = new Intl.DateTimeFormat(language, {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  const minutes = new Intl.DateTimeFormat(language, {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  const say: Speech["say"] = (word, fill = {}) =>
    words[word].replace(/\{(\w+)\}/g, (_, name: string) => String(fill[name] ?? ""));
  const measured: Speech["measured"] = (value, unit, digits = 0) => {
    if (value === undefined) return say("unknown");
    const shape = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return `${new Intl.NumberFormat(language, shape).format(value)} ${unit}`;
  };
  return {
    language,
    say,
    measured,
    clock: (iso) => {
      const date = new Date(iso);
      const today = date.toDateString() === new Date().toDateString();
      return today ? time.format(date) : minutes.format(date);
    },
    dayAndTime: (iso) => minutes.format(new Date(iso)),
    kilometres: (metres) => measured(metres === undefined ? undefined : metres / 1000, "km", 1),
  };
}

export const SpeechContext = createContext<Speech>(speechOf("en"));
export const useSpeech = (): Speech => useContext(SpeechContext);
