/** Of the API, what has the tag "keys": made by `node scripts/client.ts` from the API's description. */
import type { Nothing } from "../page.ts";

export type ListRequestKeysAnswer = {
  /** whether what opens cars has to be signed */ readonly demanded: boolean;
  readonly items: readonly ({
    /** whose it is, as its tokens name it */ readonly client: string;
    /** what its signatures call it (`keyid`) */ readonly keyId: string;
    readonly state: "in_force" | "revoked";
    /** of the public key (SPKI, DER), in hexadecimal */ readonly sha256?: string;
  })[];
};

export type RevokeRequestKeyAnswer = {
  /** whose it is, as its tokens name it */ readonly client: string;
  /** what its signatures call it (`keyid`) */ readonly keyId: string;
  readonly state: "in_force" | "revoked";
  /** of the public key (SPKI, DER), in hexadecimal */ readonly sha256?: string;
};

export type RevokeRequestKeyBody = {
  /** whose it is, as its tokens name it */ readonly client: string;
  /** what its signatures call it (`keyid`) */ readonly keyId: string;
};

export type KeysOperations = {
  /** The public keys that callers sign with, those that were taken back too. */
  readonly listRequestKeys: {
    readonly ask: Nothing;
    readonly answer: ListRequestKeysAnswer;
  };
  /** Take a caller's key back: at once and for good, so that it signs nothing any more. */
  readonly revokeRequestKey: {
    readonly ask: {
      readonly body: RevokeRequestKeyBody;
    };
    readonly answer: RevokeRequestKeyAnswer;
  };
};
