/**
 * The cloud put together: broker, ingest, commands, identity and tenants as services with a command line, which is how
 * it is used (`kerbside-cloud --help`). For programs beside it there is the API's client that the command line has.
 */
export { callApi, signIn } from "./cli/api-client.ts";
