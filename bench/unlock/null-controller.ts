/** Lock hardware that takes no time: speaks the authenticated link, pulses at once, and senses what it pulsed. */
import { readFileSync } from "node:fs";
import { fromHex } from "@kerbside/protocol";
import { TestController } from "../../test/support/lock-controller.ts";

const [, , socket = "", keyFile = ""] = process.argv;
await TestController.listen(socket, fromHex(readFileSync(keyFile, "utf8").trim()));
process.send?.({ ready: true });
