/** One question to a control unit at a time, over ISO-TP. */
import type { Clock, Timer } from "@kerbside/protocol";
import type { OutgoingFrame, SendOutcome } from "../bus/bus.ts";
import type { CanFrame } from "../frame.ts";
import { createIsoTpLink, IsoTpError, type IsoTpLink } from "../isotp/index.ts";
import { type Addresses, type Answer, answerTo } from "./services.ts";

/** P2 (ISO 15765-4 table 6) is 50 ms, and as much again for slow gateways. */
const ANSWER_MS_MAX = 100;
/** P2* after "pending", and how often that may come. */
const PENDING_MS_MAX = 5000;
const PENDINGS_MAX = 10;
/** While a long answer is under way. */
const TRANSFER_MS_MAX = 5000;

export type Reply = Extract<Answer, { readonly kind: "positive" | "negative" }> | NoReply;
export type NoReply = { readonly kind: "silence"; readonly reason: string };

export type DiagnosisClient = {
  /** Never rejects. A second question while one is open is a bug of the caller: throws. */
  readonly ask: (request: Uint8Array) => Promise<Reply>;
  readonly take: (frame: CanFrame) => void;
  readonly close: () => void;
};

type Open = {
  readonly request: Uint8Array;
  readonly settle: (reply: Reply) => void;
  pendings: number;
  timer: Timer;
};

export function createDiagnosisClient(options: {
  readonly addresses: Addresses;
  readonly send: (frame: OutgoingFrame) => SendOutcome;
  readonly clock: Clock;
}): DiagnosisClient {
  const { clock, addresses } = options;
  const { requestId, answerId, ext } = addresses;
  let open: Open | undefined;
  const finish = (reply: Reply): void => {
    const asked = open;
    open = undefined;
    asked?.timer.cancel();
    asked?.settle(reply);
  };
  const expire = (delayMs: number): Timer =>
    clock.after(delayMs, () => finish({ kind: "silence", reason: "no answer" }));
  const onMessage = (message: Uint8Array): void => {
    if (open === undefined) return;
    const answer = answerTo(open.request, message);
    switch (answer.kind) {
      case "other":
        return;
      case "pending":
        open.pendings += 1;
        open.timer.cancel();
        if (open.pendings > PENDINGS_MAX) finish({ kind: "silence", reason: "pending for ever" });
        else open.timer = expire(PENDING_MS_MAX);
        return;
      case "positive":
      case "negative":
        finish(answer);
        return;
    }
  };
  const link: IsoTpLink = createIsoTpLink({
    txId: requestId,
    rxId: answerId,
    ext,
    send: options.send,
    clock,
    onMessage,
    onError: (error) => finish({ kind: "silence", reason: error }),
  });
  return {
    ask: (request) => {
      if (open !== undefined) throw new Error("a question is open already");
      return new Promise((settle) => {
        open = { request, settle, pendings: 0, timer: expire(ANSWER_MS_MAX) };
        link.send(request).catch((error: unknown) => {
          finish({ kind: "silence", reason: error instanceof IsoTpError ? error.message : "" });
        });
      });
    },
    take: (frame) => {
      // Something of the answer came: the rest has the time that ISO-TP gives it.
      if (open !== undefined && frame.id === answerId && frame.ext === ext) {
        open.timer.cancel();
        open.timer = expire(TRANSFER_MS_MAX);
      }
      link.take(frame);
    },
    close: () => {
      finish({ kind: "silence", reason: "closed" });
      link.close();
    },
  };
}
