/**
 * Files over the API (P-32, P-34): added as they are, listed, and read only by links of short life, which need no token
 * because they are one. A person reaches their own, staff by role; avatars are for whoever is signed in to the tenant.
 */
import {
  type AuditEntry,
  FILE_BYTES_MAX,
  FILE_KIND_NAMES,
  FILE_KINDS,
  FILE_LINK_MS,
  FILE_TYPE_NAMES,
  FILE_TYPES,
  type FileKind,
  type FileLink,
  type FileOwner,
  type FileRecord,
  fileOwner,
  isFileKind,
  ProtocolError,
  type TenantId,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import type { FastifyInstance, FastifyReply } from "fastify";
import { type TSchema, Type } from "typebox";
import { oneself } from "./people-routes.ts";
import { uuid } from "./people-schemas.ts";
import type { Answer, ApiParts, Call, Route } from "./route.ts";
import { pageOf } from "./schemas.ts";
import { iso } from "./views.ts";

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const strict = { additionalProperties: false } as const;
const NOTHING = Type.Object({}, strict);
const time = (description: string): TSchema =>
  Type.String({ description: `${description} (ISO 8601)`, examples: ["2026-11-21T08:00:00.000Z"] });

const FileSchema: TSchema = Type.Object(
  {
    file: uuid("its id"),
    kind: Type.Unsafe<string>({ type: "string", enum: [...FILE_KIND_NAMES] }),
    owner: Type.String({ description: "whose: person:…, booking:… or vehicle:…" }),
    type: Type.Unsafe<string>({ type: "string", enum: [...FILE_TYPE_NAMES] }),
    bytes: Type.Integer({ description: "how many" }),
    addedAt: time("when"),
    until: Type.Optional(time("when it is removed by itself")),
  },
  strict,
);
const LinkSchema: TSchema = Type.Object(
  {
    url: Type.String({ description: "opens the file without a token, from this server" }),
    until: time("how long it is good"),
  },
  strict,
);
const RemovedSchema: TSchema = Type.Object({ removed: Type.Boolean() }, strict);

function fileView({ addedAtMs, untilMs, ...record }: FileRecord): unknown {
  const until = untilMs === undefined ? {} : { until: iso(untilMs) };
  return { ...record, addedAt: iso(addedAtMs), ...until };
}

/** Bodies of these types are handed to the route as they came. */
export function takeFiles(scope: FastifyInstance): void {
  scope.removeContentTypeParser("application/json");
  scope.addContentTypeParser<Buffer>(
    [...FILE_TYPE_NAMES],
    { parseAs: "buffer", bodyLimit: FILE_BYTES_MAX },
    (_request, body, done) => done(null, body),
  );
}

function audit(call: Call, action: string, subject: string): AuditEntry {
  const { caller, from } = call;
  return { actor: caller.subject, action, subject, outcome: "done", from };
}

function noFile(): ProtocolError {
  return new ProtocolError("not_found", "file: there is none such");
}

function kindOf({ query }: Call): FileKind {
  if (isFileKind(query.kind)) return query.kind;
  throw new ProtocolError("malformed", `kind: expected one of ${FILE_KIND_NAMES.join(", ")}`);
}

/** The owner that is named, if the tenant has it. Throws `malformed`, or `not_found`. */
async function ownerOf({ query, store }: Call): Promise<FileOwner> {
  const owner = fileOwner(query.owner ?? "");
  const [kind, id] = [owner.split(":", 1).join(""), owner.slice(owner.indexOf(":") + 1)];
  const there =
    kind === "person"
      ? (await store.people.person(id))?.state !== "erased" &&
        (await store.people.person(id)) !== undefined
      : kind === "booking"
        ? (await store.booking(id)) !== undefined
        : (await store.vehicle(vehicleId(id))) !== undefined;
  if (!there) throw new ProtocolError("not_found", "owner: there is none such");
  return owner;
}

async function add(call: Call, owner: FileOwner): Promise<Answer> {
  const { body } = call;
  if (!(body instanceof Uint8Array)) throw new ProtocolError("malformed", "file: expected bytes");
  const file = { kind: kindOf(call), owner, content: body };
  const record = await call.store.files.putFile(file, audit(call, "file.add", owner));
  return { status: 201, body: fileView(record) };
}

async function list(call: Call, owner: FileOwner): Promise<Answer> {
  return { status: 200, body: { items: (await call.store.files.files(owner)).map(fileView) } };
}

/** Throws ProtocolError `not_found`, also where `of` is given and it is somebody else's. */
async function fileParam(call: Call, of?: readonly FileOwner[]): Promise<FileRecord> {
  const { file = "" } = call.params;
  const record = ID.test(file) ? await call.store.files.file(file) : undefined;
  if (record === undefined || of?.includes(record.owner) === false) throw noFile();
  return record;
}

async function link(call: Call, { file }: FileRecord): Promise<Answer> {
  const entry = audit(call, "file.link", `file:${file}`);
  const made = await call.store.files.linkFile(file, FILE_LINK_MS, entry);
  const query = new URLSearchParams({ link: made.link, until: `${made.untilMs}`, mac: made.mac });
  const url = `/files/${call.caller.tenant}/${file}?${query.toString()}`;
  return { status: 201, body: { url, until: iso(made.untilMs) } };
}

async function remove(call: Call, { file }: FileRecord): Promise<Answer> {
  const entry = audit(call, "file.remove", `file:${file}`);
  return { status: 200, body: { removed: await call.store.files.removeFile(file, entry) } };
}

/** Whoever calls, and the bookings that are theirs. */
async function own(call: Call): Promise<readonly [FileOwner, ...FileOwner[]]> {
  const { person } = await oneself(call);
  const bookings = await call.store.people.bookingsOf(person);
  return [`person:${person}`, ...bookings.map((id) => `booking:${id}` as const)];
}

/** Throws `not_found` where it is a booking of somebody else. */
async function ownOwner(call: Call): Promise<FileOwner> {
  const owners = await own(call);
  const [self] = owners;
  const owner = call.query.owner === undefined ? self : fileOwner(call.query.owner);
  if (!owners.includes(owner)) throw new ProtocolError("not_found", "owner: there is none such");
  return owner;
}

/** P-34: for anybody who is signed in to this tenant. */
async function avatar(call: Call): Promise<Answer> {
  const { person = "" } = call.params;
  const owner = fileOwner(`person:${person}`);
  const [record] = (await call.store.files.files(owner)).filter(({ kind }) => kind === "avatar");
  if (record === undefined) throw noFile();
  const content = await call.store.files.readFile(
    record.file,
    audit(call, "file.avatar", `file:${record.file}`),
  );
  sendFile(call.reply, record, content);
  return "taken";
}

/** Shown or kept by nobody but whoever asked: no cache, no script, no guessing of types. */
function sendFile(reply: FastifyReply, { file, type }: FileRecord, content: Uint8Array): void {
  reply
    .header("cache-control", "private, no-store")
    .header("content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
    .header("x-content-type-options", "nosniff")
    .header("cross-origin-resource-policy", "same-origin")
    .header(
      "content-disposition",
      `${type.startsWith("image/") ? "inline" : "attachment"}; filename="${file}.${FILE_TYPES[type].extension}"`,
    )
    .type(type)
    .send(Buffer.from(content.buffer, content.byteOffset, content.length));
}

/** `/files/TENANT/FILE?link&until&mac`, outside the gate of tokens: the link is what lets in. All that is wrong is 404. */
export function registerFileLinks(app: FastifyInstance, tenant: ApiParts["tenant"]): void {
  app.get<{
    Params: { tenant: string; file: string };
    Querystring: Readonly<Record<string, string | undefined>>;
  }>("/files/:tenant/:file", { schema: { hide: true } }, async (request, reply) => {
    const { file } = request.params;
    const store = (await tenant(tenantOf(request.params.tenant)))?.store;
    const given = linkOf(request.query);
    if (store === undefined || given === undefined || !ID.test(file)) throw noFile();
    const { record, content } = await store.files.openLink(file, given, request.ip);
    sendFile(reply, record, content);
    return reply;
  });
}

function tenantOf(text: string): TenantId {
  try {
    return tenantId(text);
  } catch (cause) {
    throw new ProtocolError("not_found", "file: there is none such", { cause });
  }
}

function linkOf(query: Readonly<Record<string, unknown>>): FileLink | undefined {
  const { link: name, until, mac } = query;
  if (typeof name !== "string" || typeof until !== "string" || typeof mac !== "string")
    return undefined;
  if (!/^[0-9a-f]{16}$/.test(name) || !/^\d{1,15}$/.test(until)) return undefined;
  return { link: name, untilMs: Number(until), mac };
}

const KINDS = FILE_KIND_NAMES.map(
  (name) => `${name} (${FILE_KINDS[name].doc}, of a ${FILE_KINDS[name].owner})`,
).join("; ");

const upload = {
  ...{ method: "POST", takes: FILE_TYPE_NAMES, bodyBytesMax: FILE_BYTES_MAX, tag: "files" },
  ...{ query: ["kind", "owner"], answers: { 201: FileSchema } },
} as const satisfies Partial<Route>;

export const FILE_ROUTES: readonly Route[] = [
  {
    ...{ ...upload, path: "/files", operation: "addFile" },
    ...{ summary: `Add a file: ${KINDS}`, scopes: ["files:write"] },
    handle: async (call) => add(call, await ownerOf(call)),
  },
  {
    ...{ method: "GET", path: "/files", operation: "listFiles", summary: "Files of an owner" },
    ...{ scopes: ["files:read"], tag: "files", query: ["owner"], personal: true },
    answers: { 200: pageOf(FileSchema) },
    handle: async (call) => list(call, await ownerOf(call)),
  },
  {
    ...{ method: "POST", path: "/files/:file/link", operation: "linkFile" },
    summary: "A link that opens a file, for five minutes",
    ...{ scopes: ["files:read"], tag: "files", body: NOTHING },
    answers: { 201: LinkSchema },
    handle: async (call) => link(call, await fileParam(call)),
  },
  {
    ...{ method: "POST", path: "/files/:file/remove", operation: "removeFile" },
    ...{ summary: "Remove a file, for good", scopes: ["files:write"], tag: "files" },
    ...{ body: NOTHING, answers: { 200: RemovedSchema } },
    handle: async (call) => remove(call, await fileParam(call)),
  },
  {
    ...{ method: "GET", path: "/people/:person/avatar", operation: "getAvatar" },
    summary: "A person's picture, for whoever is signed in",
    ...{ scopes: ["self", "people:read"], tag: "files" },
    answers: { 200: Type.Unsafe<string>({ type: "string", description: "the image" }) },
    handle: avatar,
  },
  {
    ...{ ...upload, path: "/me/files", operation: "addMyFile" },
    ...{ summary: "Add a file of mine, or of a booking of mine", scopes: ["self"] },
    handle: async (call) => add(call, await ownOwner(call)),
  },
  {
    ...{ method: "GET", path: "/me/files", operation: "listMyFiles", summary: "Files of mine" },
    ...{ scopes: ["self"], tag: "files", query: ["owner"] },
    answers: { 200: pageOf(FileSchema) },
    handle: async (call) => list(call, await ownOwner(call)),
  },
  {
    ...{ method: "POST", path: "/me/files/:file/link", operation: "linkMyFile" },
    ...{ summary: "A link that opens a file of mine", scopes: ["self"], tag: "files" },
    ...{ body: NOTHING, answers: { 201: LinkSchema } },
    handle: async (call) => link(call, await fileParam(call, await own(call))),
  },
  {
    ...{ method: "POST", path: "/me/files/:file/remove", operation: "removeMyFile" },
    ...{ summary: "Remove a file of mine; those of bookings stay", scopes: ["self"], tag: "files" },
    ...{ body: NOTHING, answers: { 200: RemovedSchema } },
    // A photo of a damage is evidence, and perhaps somebody else's: what is a booking's only staff removes.
    handle: async (call) => remove(call, await fileParam(call, (await own(call)).slice(0, 1))),
  },
];
