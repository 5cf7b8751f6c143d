/** Unix sockets between services of one machine, which only the user they run as may open. */
import { rm } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { ProtocolError } from "@kerbside/protocol";

/** A path longer than this does not fit into the address of a Unix socket (unix(7): 108 bytes with the final 0). */
const SOCKET_PATH_BYTES_MAX = 107;

/**
 * Listens at `path`, in the place of a socket that a dead process left behind. `what` names the service in errors.
 * Throws ProtocolError `conflict` where another one listens there, `malformed` where the path is too long.
 */
export async function listenPrivately(server: Server, path: string, what: string): Promise<void> {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw new ProtocolError(
      "malformed",
      `${what} socket: expected a path of at most ${SOCKET_PATH_BYTES_MAX} bytes`,
    );
  }
  await refuseSecond(path, what);
  await rm(path, { force: true });
  await new Promise<void>((done, fail) => {
    server.once("error", fail);
    // The socket is never, not for a moment, open to other users: it is made, within this call, under the mask.
    const before = process.umask(0o177);
    server.listen(path, () => {
      server.off("error", fail);
      done();
    });
    process.umask(before);
  });
}

/** Throws ProtocolError `conflict` where a service listens at `path`. */
export async function refuseSecond(path: string, what: string): Promise<void> {
  const listens = await new Promise<boolean>((done) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      done(true);
    });
    probe.once("error", () => done(false));
  });
  if (listens) throw new ProtocolError("conflict", `${what} socket: another ${what} listens there`);
}
