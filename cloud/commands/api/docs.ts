/** The API's own description, OpenAPI 3.1, and a page to try it, all from this server. */
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { withExamples } from "./examples.ts";
import { SCOPES } from "./route.ts";

const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 190 40"><text x="0" y="29" fill="#fff" ' +
  'font-family="sans-serif" font-size="26" font-weight="600">Kerbside API</text></svg>';

/** The one style that Swagger UI's bundle sets inline. */
const BUNDLE_STYLE = "sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w=";
/** The page loads nothing from elsewhere and runs nothing but its own files. */
const DOCS_CSP = [
  "default-src 'none'",
  "script-src 'self'",
  `style-src 'self' '${BUNDLE_STYLE}'`,
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

export async function registerDocs(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    transformObject: (document) =>
      withExamples("openapiObject" in document ? document.openapiObject : document.swaggerObject),
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Kerbside",
        version: "1",
        description:
          "Cars, bookings, commands and events of one operator. Errors are problem details (RFC 9457) that say " +
          "whether it may have happened all the same (`mayHaveSucceeded`) and whether asking again is worth " +
          "while (`temporary`). A command is sent now or never, and its states are shown as they are.",
      },
      tags: [
        { name: "vehicles", description: "The cars" },
        { name: "events", description: "What the cars report" },
        { name: "bookings", description: "Who may use which car, from when to when" },
        { name: "commands", description: "From the booking to the bolt" },
        { name: "feed", description: "What changed, as ids only" },
        { name: "webhooks", description: "The same, sent to an address of yours" },
        { name: "analytics", description: "How much there was, of many together" },
        { name: "artefacts", description: "What is published for the cars" },
        { name: "keys", description: "What callers sign with" },
        { name: "audit", description: "Who did what" },
        { name: "people", description: "Who drives, and what is kept of them" },
        { name: "files", description: "Photos, documents and diagnostic bundles" },
        { name: "platform", description: "The operators on this platform, for who runs it" },
        { name: "support", description: "Access that somebody else must agree to" },
        {
          name: "me",
          description: "What is kept of whoever is signed in, to see and to take away",
        },
        { name: "quarantine", description: "What was put aside of what cars sent" },
      ],
      components: {
        securitySchemes: {
          oauth2: {
            type: "oauth2",
            flows: {
              clientCredentials: { tokenUrl: "/oauth/token", scopes: { ...SCOPES } },
              authorizationCode: {
                authorizationUrl: "/oauth/authorize",
                tokenUrl: "/oauth/token",
                scopes: { ...SCOPES },
              },
            },
          },
        },
      },
    },
  });
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: DOCS_CSP,
    logo: { type: "image/svg+xml", content: Buffer.from(LOGO), href: "/docs", target: "_self" },
    theme: { title: "Kerbside API" },
    uiConfig: { docExpansion: "list", deepLinking: true, tryItOutEnabled: false },
  });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
}
