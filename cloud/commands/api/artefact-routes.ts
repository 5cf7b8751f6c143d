/** What an operator publishes for its cars, and which cars have it. */
import {
  ARTEFACT_KINDS,
  ARTEFACT_NAME,
  type ArtefactHead,
  type ArtefactKind,
  ProtocolError,
  vehicleId,
} from "@kerbside/protocol";
import { type TSchema, Type } from "typebox";
import { CONTENT_BYTES_MAX, contentOf } from "../artefact-content.ts";
import { artefactState, isFor } from "../artefacts.ts";
import { type Answer, type Call, type Route, vehicleParam } from "./route.ts";
import { pageOf } from "./schemas.ts";

/** Base64 takes a third more, and there is JSON around it. */
export const ARTEFACT_BODY_BYTES_MAX: number = Math.ceil((CONTENT_BYTES_MAX * 4) / 3) + 4096;
const VEHICLES_MAX = 1000;
const strict = { additionalProperties: false } as const;
const about = (description: string): { description: string } => ({ description });

type Body = {
  readonly version: number;
  readonly content?: string;
  readonly document?: unknown;
  readonly vehicles?: readonly string[];
};
const BodySchema: TSchema = Type.Object(
  {
    version: Type.Integer({ minimum: 1, ...about("above the one before of this kind and name") }),
    content: Type.Optional(
      Type.String({
        pattern: "^[A-Za-z0-9+/]*={0,2}$",
        ...about("as the car takes it, base64; or `document`"),
      }),
    ),
    document: Type.Optional(
      Type.Object({}, { ...about("instead of `content`: a scheme, a flow or a rental policy") }),
    ),
    vehicles: Type.Optional(
      Type.Array(Type.String({ maxLength: 40 }), {
        minItems: 1,
        maxItems: VEHICLES_MAX,
        ...about("only for these cars; for all without it"),
      }),
    ),
  },
  strict,
);
const HeadSchema: TSchema = Type.Object({
  kind: Type.String(),
  name: Type.String(),
  version: Type.Integer(),
  publishedAt: Type.String(),
  vehicles: Type.Optional(Type.Array(Type.String())),
});
const CarSchema: TSchema = Type.Object({
  kind: Type.String(),
  name: Type.String(),
  version: Type.Integer(),
  state: Type.String(about("pending, applied or refused: by what the car last announced")),
  reason: Type.Optional(Type.String(about("why it was refused, in the car's words"))),
});

/** Throws ProtocolError `not_found`. */
function kindParam(call: Call): ArtefactKind {
  const kind = ARTEFACT_KINDS.find((each) => each === call.params["kind"]);
  if (kind === undefined) throw new ProtocolError("not_found", "artefact: there is no such kind");
  return kind;
}

function headView({ kind, name, version, vehicles, publishedAtMs }: ArtefactHead): object {
  const publishedAt = new Date(publishedAtMs).toISOString();
  return { kind, name, version, publishedAt, ...(vehicles === undefined ? {} : { vehicles }) };
}

async function publish(call: Call): Promise<Answer> {
  const kind = kindParam(call);
  const name = call.params["name"] ?? "";
  if (!ARTEFACT_NAME.test(name)) {
    throw new ProtocolError("malformed", `name: expected ${ARTEFACT_NAME.source}`);
  }
  // By the row's schema.
  const { version, content, document, vehicles } = call.body as Body;
  if ((content === undefined) === (document === undefined)) {
    throw new ProtocolError("malformed", "artefact: expected one of content and document");
  }
  const head = await call.parts.artefacts.publish(call.caller, {
    ...{ kind, name, version },
    content:
      content === undefined
        ? contentOf(kind, document)
        : new Uint8Array(Buffer.from(content, "base64")),
    ...(vehicles === undefined ? {} : { vehicles: vehicles.map(vehicleId) }),
    from: call.from,
  });
  return { status: 200, body: headView(head) };
}

async function list(call: Call): Promise<Answer> {
  return { status: 200, body: { items: (await call.store.artefacts()).map(headView) } };
}

async function ofCar(call: Call): Promise<Answer> {
  const id = vehicleParam(call);
  const vehicle = await call.store.vehicle(id);
  if (vehicle === undefined) throw new ProtocolError("not_found", "vehicle: there is none such");
  const session = await call.store.session(id);
  const items = (await call.store.artefacts())
    .filter((head) => isFor(head, vehicle))
    .map((head) => {
      const { kind, name, version } = head;
      return { kind, name, version, ...artefactState(head, session) };
    });
  return { status: 200, body: { items } };
}

export const ARTEFACT_ROUTES: readonly Route[] = [
  {
    method: "PUT",
    path: "/artefacts/:kind/:name",
    operation: "publishArtefact",
    summary: "Publish a scheme, a profile, a rental policy or a flow to cars",
    scopes: ["artefacts:write"],
    tag: "artefacts",
    body: BodySchema,
    bodyBytesMax: ARTEFACT_BODY_BYTES_MAX,
    answers: { 200: HeadSchema },
    handle: publish,
  },
  {
    method: "GET",
    path: "/artefacts",
    operation: "listArtefacts",
    summary: "What is published, the newest version of each",
    scopes: ["artefacts:read"],
    tag: "artefacts",
    answers: { 200: pageOf(HeadSchema) },
    handle: list,
  },
  {
    method: "GET",
    path: "/vehicles/:vehicle/artefacts",
    operation: "listVehicleArtefacts",
    summary: "What a car is to have, and whether it has it",
    scopes: ["artefacts:read"],
    tag: "artefacts",
    answers: { 200: pageOf(CarSchema) },
    handle: ofCar,
  },
];
