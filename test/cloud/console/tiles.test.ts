/** Streets from elsewhere: off by default, and one origin where they are wanted. */
import { consoleFiles, tilesOrigin } from "@kerbside/console";
import { test } from "uvu";
import * as assert from "uvu/assert";

const policyOf = (files: ReturnType<typeof consoleFiles>): string =>
  files.find(({ url }) => url === "/console/")?.headers["content-security-policy"] ?? "";
const settingsOf = (files: ReturnType<typeof consoleFiles>): unknown =>
  JSON.parse(String(files.find(({ url }) => url === "/console/settings.json")?.body));

test("without a server of tiles the page may ask its own origin only, and is told of none", () => {
  const files = consoleFiles();
  assert.not.match(policyOf(files), /https:/);
  assert.match(policyOf(files), "connect-src 'self';");
  assert.equal(settingsOf(files), {});
});

test("with one, pictures and requests may go to exactly that origin, and nothing else changes", () => {
  const tiles = {
    url: "https://tiles.example:8444/a/{z}/{x}/{y}.png?key=1",
    credit: "Streets <b>",
  };
  const files = consoleFiles(tiles);
  const origin = " https://tiles.example:8444";
  assert.is(policyOf(files).split(origin).join(""), policyOf(consoleFiles()));
  assert.is(policyOf(files).split(origin).length - 1, 2);
  assert.match(policyOf(files), `img-src 'self'${origin};`);
  assert.equal(settingsOf(files), { tiles });
});

const WRONG = [
  { why: "not encrypted", url: "http://tiles.example/{z}/{x}/{y}.png" },
  { why: "no place for the row", url: "https://tiles.example/{z}/{x}.png" },
  {
    why: "places in the query, where the path is one for all",
    url: "https://t.example/?{z}{x}{y}",
  },
  { why: "a password would be told to everybody", url: "https://me:secret@t.example/{z}/{x}/{y}" },
  { why: "no address", url: "tiles.example/{z}/{x}/{y}" },
  { why: "would end the policy's line", url: "https://a.example; script-src *//{z}/{x}/{y}" },
];
for (const { why, url } of WRONG) {
  test(`P-03 an address of tiles is refused: ${why}`, () => {
    assert.throws(
      () => tilesOrigin({ url }),
      (error: unknown) => error instanceof RangeError && !error.message.includes("secret"),
    );
  });
}

test.run();
