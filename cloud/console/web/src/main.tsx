/** Opens a session if there is one, and shows the page. */
import { Problem } from "@kerbside/client";
import { render } from "preact";
import { Api } from "./api.ts";
import { App } from "./app.tsx";
import { Fleet } from "./fleet.ts";
import { openSession, SignedOut } from "./session.ts";
import { setUpTrustedTypes } from "./trusted.ts";
import "./style.css";
import "./staff.css";

setUpTrustedTypes();
const root = document.getElementById("root");
if (root === null) throw new Error("the page has no root");

const signedOut = (why: string | undefined): void => {
  render(<App fleet={undefined} refused={why} />, root);
};

async function begin(): Promise<void> {
  if (root === null) return;
  const session = await openSession();
  if (session === undefined) {
    signedOut(undefined);
    return;
  }
  const fleet = new Fleet(new Api(session));
  render(<App fleet={fleet} refused={undefined} />, root);
  if (fleet.api.may("events:read")) await fleet.run();
}

begin().catch((error: unknown) => {
  const isRefused = error instanceof Problem && error.status === 401;
  signedOut(error instanceof SignedOut || isRefused ? error.message : String(error));
});
