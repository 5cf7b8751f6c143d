/** `scheme|profile|rental|flow publish`: signs what is in a file and hands it to the cars, through the running API. */
import { dirname, join } from "node:path";
import { type ArtefactKind, ProtocolError, packProfile } from "@kerbside/protocol";
import { readIfThere } from "@kerbside/tenants";
import { apiCaller, CALLER_OPTIONS, refused } from "./api-caller.ts";
import { type Command, type Input, UsageError } from "./command.ts";

const FILE_OPTION = { value: "FILE", required: true, doc: "the document, JSON" };
const VEHICLES_OPTION = { value: "ID[,ID]", doc: "only for these cars; for all without it" };

/** What each kind of document says of itself; a policy says nothing, so it is told. */
const SUMMARIES: Readonly<Record<ArtefactKind, string>> = {
  scheme: "Publishes a collection scheme; cars collect by it as soon as they have it.",
  profile: "Publishes a profile with its DBCs; cars of that model use it from their next start.",
  rental: "Publishes the rental policy, with the zones in which a rental may end.",
  flow: "Publishes a flow of event rules; cars run it as soon as they have it.",
};

export const PUBLISH_COMMANDS: readonly Command[] = [
  ...(["scheme", "profile", "flow"] as const).map(
    (kind): Command => ({
      name: `${kind} publish`,
      summary: SUMMARIES[kind],
      options: { ...CALLER_OPTIONS, file: FILE_OPTION, vehicles: VEHICLES_OPTION },
      run: (input) => publish(input, kind, selfNamed(kind, input.text("file"))),
    }),
  ),
  {
    name: "rental publish",
    summary: SUMMARIES.rental,
    options: {
      ...CALLER_OPTIONS,
      file: FILE_OPTION,
      vehicles: VEHICLES_OPTION,
      name: { value: "NAME", default: "rental", doc: "of the policy" },
      version: { value: "N", required: true, doc: "above the one before" },
    },
    run: (input) => {
      const version = input.integer("version", 1, Number.MAX_SAFE_INTEGER);
      const document = parse(input.text("file"), read(input.text("file")));
      return publish(input, "rental", { name: input.text("name"), version, document });
    },
  },
  {
    name: "vehicle artefacts",
    summary: "Shows what is published for a car, and whether it has it.",
    options: {
      ...CALLER_OPTIONS,
      vehicle: { value: "VEHICLE", required: true, doc: "id of the car" },
    },
    run: show,
  },
];

type Published = {
  readonly name: string;
  readonly version: number;
  readonly document?: unknown;
  readonly content?: string;
};

async function publish(input: Input, kind: ArtefactKind, what: Published): Promise<number> {
  const { name, ...body } = what;
  const vehicles = input.optional("vehicles")?.split(",");
  const api = await apiCaller(input);
  const answer = await api.ask({
    method: "PUT",
    path: `/artefacts/${kind}/${encodeURIComponent(name)}`,
    body: JSON.stringify({ ...body, ...(vehicles === undefined ? {} : { vehicles }) }),
  });
  if (answer.status !== 200) throw refused(answer);
  const whom = vehicles === undefined ? "all cars" : vehicles.join(", ");
  input.print(answer.body, `${kind} ${name} version ${what.version} is published for ${whom}`);
  return 0;
}

async function show(input: Input): Promise<number> {
  const api = await apiCaller(input);
  const vehicle = encodeURIComponent(input.text("vehicle"));
  const answer = await api.ask({ method: "GET", path: `/vehicles/${vehicle}/artefacts` });
  const { items } = answer.body;
  if (answer.status !== 200 || !Array.isArray(items)) throw refused(answer);
  for (const item of items) {
    const { kind, name, version, state, reason } = { ...item };
    const why = reason === undefined ? "" : ` (${String(reason)})`;
    input.print(item, `${kind} ${name} ${version}: ${state}${why}`);
  }
  return 0;
}

/** A document that says its own name and version; a profile goes with the DBCs that it names, from its folder. */
function selfNamed(kind: ArtefactKind, file: string): Published {
  const json = read(file);
  const document = parse(file, json);
  const { name, version, dbc } = document;
  if (typeof name !== "string" || typeof version !== "number") {
    throw new UsageError(`${kind} publish: ${file}: expected a name and a version in it`);
  }
  if (kind !== "profile") return { name, version, content: base64(json) };
  const names = (Array.isArray(dbc) ? dbc : []).map(String);
  const dbcs = new Map(names.map((each) => [each, read(join(dirname(file), each))]));
  return { name, version, content: base64(packProfile(json, dbcs)) };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function read(file: string): Uint8Array {
  const content = readIfThere(file);
  if (content === undefined) throw new ProtocolError("not_found", `${file}: there is no such file`);
  return new Uint8Array(content);
}

function parse(file: string, json: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(json).toString("utf8"));
    if (typeof value === "object" && value !== null) return { ...value };
  } catch (cause) {
    throw new ProtocolError("malformed", `${file}: is not JSON`, { cause });
  }
  throw new ProtocolError("malformed", `${file}: expected a JSON object`);
}
