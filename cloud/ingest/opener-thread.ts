/** A thread that opens bodies, for threadOpeners. It keeps nothing from one message to the next. */
import { parentPort } from "node:worker_threads";
import { cryptoReady } from "@kerbside/protocol";
import { answerOrders, type Orders } from "./opener-messages.ts";

await cryptoReady();
parentPort?.on("message", (orders: Orders) => {
  const answers = answerOrders(orders);
  parentPort?.postMessage(answers, [answers.bytes.buffer]);
});
