/** The frame around every page: who, where to, live or not, light or dark, in which language. */
import { useEffect, useState } from "preact/hooks";
import iconUrl from "../icon.svg";
import type { Api } from "./api.ts";
import { inTrouble } from "./finding.ts";
import { type Fleet, useFleet } from "./fleet.ts";
import { AlarmsPage } from "./pages/alarms.tsx";
import { AuditPage } from "./pages/audit.tsx";
import { BookingsPage } from "./pages/bookings.tsx";
import { CarPage } from "./pages/car.tsx";
import { ErasurePage } from "./pages/erasure.tsx";
import { FleetPage } from "./pages/fleet.tsx";
import { QuarantinePage } from "./pages/quarantine.tsx";
import { SignInPage } from "./pages/sign-in.tsx";
import { SupportPage } from "./pages/support.tsx";
import { WebhooksPage } from "./pages/webhooks.tsx";
import { goToSignOut } from "./session.ts";
import type { Word } from "./words/en.ts";
import { firstLanguage, keepLanguage, SpeechContext, speechOf, useSpeech } from "./words/words.ts";

type Place = { readonly page: string; readonly name: string };
/** `#/`, `#/car/NAME`, `#/bookings`, … */
function placeOf(hash: string): Place {
  const [, page = "", name = ""] = hash.split("/");
  return { page, name: decodeURIComponent(name) };
}

function usePlace(): Place {
  const [place, setPlace] = useState(placeOf(location.hash));
  useEffect(() => {
    const follow = (): void => setPlace(placeOf(location.hash));
    addEventListener("hashchange", follow);
    // It may have changed before anybody listened.
    follow();
    return () => removeEventListener("hashchange", follow);
  }, []);
  return place;
}

const THEME_KEY = "kerbside.theme";
/** Dark or light as the system says, until somebody says otherwise. */
function useDark(): readonly [boolean, () => void] {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const [kept, setKept] = useState(localStorage.getItem(THEME_KEY));
  const dark = kept === null ? system.matches : kept === "dark";
  useEffect(() => {
    document.documentElement.dataset["theme"] = dark ? "dark" : "light";
  }, [dark]);
  const toggle = (): void => {
    const next = dark ? "light" : "dark";
    localStorage.setItem(THEME_KEY, next);
    setKept(next);
  };
  return [dark, toggle];
}

type Link = { readonly page: string; readonly word: Word; readonly scopes: readonly string[] };
/** One of the scopes shows it. */
const LINKS: readonly Link[] = [
  { page: "", word: "navFleet", scopes: ["events:read"] },
  { page: "bookings", word: "navBookings", scopes: ["bookings:read"] },
  { page: "alarms", word: "navAlarms", scopes: ["events:read"] },
  { page: "quarantine", word: "navQuarantine", scopes: ["quarantine:read"] },
  {
    page: "support",
    word: "navSupport",
    scopes: ["support:ticket", "support:request", "support:approve"],
  },
  { page: "webhooks", word: "navWebhooks", scopes: ["webhooks:read"] },
  { page: "erasure", word: "navErasure", scopes: ["people:erase"] },
  { page: "audit", word: "navAudit", scopes: ["audit:read"] },
];
const maySee = (api: Api, { scopes }: Link): boolean => scopes.some((scope) => api.may(scope));

export type AppProps = { readonly fleet: Fleet | undefined; readonly refused: string | undefined };

export function App({ fleet, refused }: AppProps) {
  const [language, setLanguage] = useState(firstLanguage);
  const [dark, toggleDark] = useDark();
  const speech = speechOf(language);
  const { say } = speech;
  useEffect(() => keepLanguage(language), [language]);
  return (
    <SpeechContext.Provider value={speech}>
      <a class="skip" href="#main">
        {say("skip")}
      </a>
      <header class="top">
        <span class="brand">
          <img src={iconUrl} alt="" width="24" height="24" />
          <h1>{say("title")}</h1>
        </span>
        {fleet !== undefined && <Navigation fleet={fleet} />}
        <span class="tools">
          <button type="button" onClick={toggleDark} aria-label={say("theme")}>
            {dark ? "☀" : "☾"}
          </button>
          <button
            type="button"
            lang={language === "en" ? "de" : "en"}
            onClick={() => setLanguage(language === "en" ? "de" : "en")}
          >
            {say("language")}
          </button>
          {fleet !== undefined && (
            <button type="button" onClick={goToSignOut}>
              {say("signOut")}
            </button>
          )}
        </span>
      </header>
      <main id="main" tabIndex={-1}>
        {fleet === undefined ? (
          <SignInPage refused={refused} />
        ) : (
          <Content fleet={fleet} dark={dark} />
        )}
      </main>
    </SpeechContext.Provider>
  );
}

function Navigation({ fleet }: { readonly fleet: Fleet }) {
  const { say } = useSpeech();
  const { page } = usePlace();
  const state = useFleet(fleet);
  const troubles = inTrouble(state.cars.values()).length;
  return (
    <>
      <nav>
        {LINKS.filter((link) => maySee(fleet.api, link)).map((link) => (
          <a
            key={link.page}
            href={`#/${link.page}`}
            aria-current={
              link.page === page || (link.page === "" && page === "car") ? "page" : undefined
            }
          >
            {say(link.word)}
            {link.page === "alarms" && troubles > 0 && <span class="count">{troubles}</span>}
          </a>
        ))}
      </nav>
      <span class="tenant">{fleet.api.session.tenant}</span>
      {fleet.api.may("events:read") && (
        <span class={state.live ? "live on" : "live waiting"}>
          {say(state.live ? "live" : "waiting")}
        </span>
      )}
    </>
  );
}

function Content({ fleet, dark }: { readonly fleet: Fleet; readonly dark: boolean }) {
  const { say } = useSpeech();
  const { page, name } = usePlace();
  const state = useFleet(fleet);
  const { api } = fleet;
  const link = LINKS.find((row) => row.page === (page === "car" ? "" : page));
  const first = LINKS.find((row) => maySee(api, row));
  if (link === undefined || !maySee(api, link)) {
    if (page === "" && first !== undefined) location.replace(`#/${first.page}`);
    return <p class="hint">{say("notAllowed")}</p>;
  }
  switch (page) {
    case "car":
      return <CarPage key={name} fleet={fleet} vehicle={name} dark={dark} />;
    case "bookings":
      return <BookingsPage fleet={fleet} />;
    case "alarms":
      return <AlarmsPage state={state} />;
    case "quarantine":
      return <QuarantinePage api={api} />;
    case "support":
      return <SupportPage api={api} />;
    case "webhooks":
      return <WebhooksPage api={api} />;
    case "erasure":
      return <ErasurePage api={api} />;
    case "audit":
      return <AuditPage api={api} />;
    default:
      return (
        <FleetPage
          state={state}
          dark={dark}
          choose={(id) => {
            location.hash = `#/car/${encodeURIComponent(id)}`;
          }}
        />
      );
  }
}
