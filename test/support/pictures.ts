/**
 * Pictures of pages, held against stored ones. What moves is covered; a few pixels may differ, a part of the page may
 * not. The stored ones are of Debian's Chromium, and are made anew by `npm run screenshots`: look at them before they
 * are committed.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import * as assert from "uvu/assert";

const STORED = fileURLToPath(new URL("../pictures/", import.meta.url));
const RENEW = process.argv.includes("--renew");
/** A pixel differs where a channel does by more than this, of 255: edges of letters vary by less. */
const CHANNEL_TOLERANCE = 48;
/** The share of pixels that may differ. */
const SHARE_MAX = 0.004;

type Compared = { readonly share: number } | { readonly sizes: readonly number[] };

/** Runs in a page of its own: a browser reads its own pictures best. */
const COMPARE = `async (pictures, tolerance) => {
  const [a, b] = await Promise.all(pictures.map(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, bitmap.width, bitmap.height);
  }));
  if (a.width !== b.width || a.height !== b.height)
    return { sizes: [a.width, a.height, b.width, b.height] };
  let differ = 0;
  for (let at = 0; at < a.data.length; at += 4) {
    const apart = [0, 1, 2].some((c) => Math.abs(a.data[at + c] - b.data[at + c]) > tolerance);
    if (apart) differ += 1;
  }
  return { share: (differ * 4) / a.data.length };
}`;

async function compare(page: Page, one: Buffer, other: Buffer): Promise<Compared> {
  const blank = await page.context().newPage();
  try {
    const pictures = JSON.stringify([one.toString("base64"), other.toString("base64")]);
    return await blank.evaluate(`(${COMPARE})(${pictures}, ${CHANNEL_TOLERANCE})`);
  } finally {
    await blank.close();
  }
}

/** What the window shows; parts that match one of `moving` are covered. */
export async function looksAsStored(
  page: Page,
  name: string,
  moving: readonly string[] = [],
): Promise<void> {
  await page.evaluate("document.fonts.ready");
  const shown = await page.screenshot({
    animations: "disabled",
    caret: "hide",
    mask: moving.map((selector) => page.locator(selector)),
    maskColor: "#808080",
  });
  const file = join(STORED, `${name}.png`);
  if (RENEW) {
    mkdirSync(STORED, { recursive: true });
    writeFileSync(file, shown);
    return;
  }
  assert.ok(existsSync(file), `${file} is not there: npm run screenshots`);
  const compared = await compare(page, readFileSync(file), shown);
  if ("share" in compared && compared.share <= SHARE_MAX) return;
  const kept = join(tmpdir(), `kerbside-${name}.png`);
  writeFileSync(kept, shown);
  assert.unreachable(`${name} does not look as stored: ${JSON.stringify(compared)}; see ${kept}`);
}
