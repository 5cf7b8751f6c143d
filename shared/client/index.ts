/**
 * The API of an operator's cloud as a typed client, for browsers and Node alike: what is asked and answered is generated
 * from the API's own OpenAPI document (`generated/`), and a test holds it against that. Problems (RFC 9457) are errors that
 * say what to do next, lists come page by page, the feed goes on where it broke off. Imports nothing.
 */
export { type Answer, Client, type ClientOptions, type Item, type Send } from "./client.ts";
export type { FeedEntry } from "./feed.ts";
export type * from "./generated/operations.ts";
export type { Page } from "./page.ts";
export { NoAnswer, Problem } from "./problem.ts";
