/** Of the API, what has the tag "files": made by `node scripts/client.ts` from the API's description. */
import type { Content, Nothing, Page } from "../page.ts";

export type FilesItem = {
  /** its id */ readonly file: string;
  readonly kind: "avatar" | "licence" | "damage" | "diagnostics" | "export";
  /** whose: person:…, booking:… or vehicle:… */ readonly owner: string;
  readonly type: "image/jpeg" | "image/png" | "image/webp" | "application/pdf" | "application/zip" | "application/gzip" | "application/json";
  /** how many */ readonly bytes: number;
  /** when (ISO 8601) */ readonly addedAt: string;
  /** when it is removed by itself (ISO 8601) */ readonly until?: string;
};

export type LinkFileAnswer = {
  /** opens the file without a token, from this server */ readonly url: string;
  /** how long it is good (ISO 8601) */ readonly until: string;
};

export type RemoveFileAnswer = {
  readonly removed: boolean;
};

export type FilesOperations = {
  /** Add a file: avatar (a person's picture, of a person); licence (a driving licence, or another document of a person, of a person); damage (a photo of a damage, of a booking); diagnostics (what a technician took from a car, of a vehicle); export (what is kept of a person, to take away, of a person). */
  readonly addFile: {
    readonly ask: {
      readonly query?: { /** only these kinds of events, with commas between them */ readonly kind?: string; /** whose: person:…, booking:… or vehicle:… */ readonly owner?: string; };
      readonly file: { readonly type: "image/jpeg" | "image/png" | "image/webp" | "application/pdf" | "application/zip" | "application/gzip" | "application/json"; readonly content: Content };
    };
    readonly answer: FilesItem;
  };
  /** Add a file of mine, or of a booking of mine. */
  readonly addMyFile: {
    readonly ask: {
      readonly query?: { /** only these kinds of events, with commas between them */ readonly kind?: string; /** whose: person:…, booking:… or vehicle:… */ readonly owner?: string; };
      readonly file: { readonly type: "image/jpeg" | "image/png" | "image/webp" | "application/pdf" | "application/zip" | "application/gzip" | "application/json"; readonly content: Content };
    };
    readonly answer: FilesItem;
  };
  /** A person's picture, for whoever is signed in. */
  readonly getAvatar: {
    readonly ask: {
      readonly path: { readonly person: string; };
    };
    readonly answer: string;
  };
  /** A link that opens a file, for five minutes. */
  readonly linkFile: {
    readonly ask: {
      readonly path: { readonly file: string; };
      readonly body?: Nothing;
    };
    readonly answer: LinkFileAnswer;
  };
  /** A link that opens a file of mine. */
  readonly linkMyFile: {
    readonly ask: {
      readonly path: { readonly file: string; };
      readonly body?: Nothing;
    };
    readonly answer: LinkFileAnswer;
  };
  /** Files of an owner. */
  readonly listFiles: {
    readonly ask: {
      readonly query?: { /** whose: person:…, booking:… or vehicle:… */ readonly owner?: string; };
    };
    readonly answer: Page<FilesItem>;
  };
  /** Files of mine. */
  readonly listMyFiles: {
    readonly ask: {
      readonly query?: { /** whose: person:…, booking:… or vehicle:… */ readonly owner?: string; };
    };
    readonly answer: Page<FilesItem>;
  };
  /** Remove a file, for good. */
  readonly removeFile: {
    readonly ask: {
      readonly path: { readonly file: string; };
      readonly body?: Nothing;
    };
    readonly answer: RemoveFileAnswer;
  };
  /** Remove a file of mine; those of bookings stay. */
  readonly removeMyFile: {
    readonly ask: {
      readonly path: { readonly file: string; };
      readonly body?: Nothing;
    };
    readonly answer: RemoveFileAnswer;
  };
};
