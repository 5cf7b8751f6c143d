/** How the operators' page is handed out: packed for who takes it so, and not again for who has it. */
import { brotliDecompressSync } from "node:zlib";
import { fastify } from "fastify";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { registerConsole } from "../../cloud/web-routes.ts";

const app = fastify();
registerConsole(app);
test.after(() => app.close());

const page = await app.inject("/console/");
const script = /src="([^"]+\.js)"/.exec(page.body)?.[1] ?? "";
const get = (headers: Readonly<Record<string, string>>) =>
  app.inject({ url: script, headers: { ...headers } });

test("a script comes as it is, or packed to who takes that, with the same content", async () => {
  const plain = await get({});
  assert.is(plain.headers["content-encoding"], undefined);
  const packed = await get({ "accept-encoding": "gzip, deflate, br, zstd" });
  assert.is(packed.headers["content-encoding"], "br");
  assert.is(packed.headers["vary"], "accept-encoding");
  assert.ok(packed.rawPayload.length < plain.rawPayload.length / 2);
  assert.ok(brotliDecompressSync(packed.rawPayload).equals(plain.rawPayload));
  for (const one of [plain, packed])
    assert.is(one.headers["content-type"], "text/javascript; charset=utf-8");
});

test("each form has a tag of its own, and is not sent again to who has it", async () => {
  const br = { "accept-encoding": "br" };
  const [plain, packed] = [await get({}), await get(br)];
  const [tag, packedTag] = [plain.headers.etag ?? "", packed.headers.etag ?? ""];
  assert.is.not(tag, packedTag);
  assert.is((await get({ "if-none-match": tag })).statusCode, 304);
  assert.is((await get({ "if-none-match": packedTag, ...br })).statusCode, 304);
  assert.is((await get({ "if-none-match": tag, ...br })).statusCode, 200);
});

test("what would hardly get smaller comes as it is", async () => {
  const settings = await app.inject({
    url: "/console/settings.json",
    headers: { "accept-encoding": "br" },
  });
  assert.is(settings.headers["content-encoding"], undefined);
  assert.equal(settings.json(), {});
});

test.run();
