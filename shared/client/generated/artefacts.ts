/** Of the API, what has the tag "artefacts": made by `node scripts/client.ts` from the API's description. */
import type { Nothing, Page } from "../page.ts";

export type ArtefactsItem = {
  readonly kind: string;
  readonly name: string;
  readonly version: number;
  readonly publishedAt: string;
  readonly vehicles?: readonly (string)[];
};

export type PublishArtefactBody = {
  /** above the one before of this kind and name */ readonly version: number;
  /** as the car takes it, base64; or `document` */ readonly content?: string;
  /** instead of `content`: a scheme, a flow or a rental policy */ readonly document?: Nothing;
  /** only for these cars; for all without it */ readonly vehicles?: readonly (string)[];
};

export type VehicleArtefactsItem = {
  readonly kind: string;
  readonly name: string;
  readonly version: number;
  /** pending, applied or refused: by what the car last announced */ readonly state: string;
  /** why it was refused, in the car's words */ readonly reason?: string;
};

export type ArtefactsOperations = {
  /** What is published, the newest version of each. */
  readonly listArtefacts: {
    readonly ask: Nothing;
    readonly answer: Page<ArtefactsItem>;
  };
  /** What a car is to have, and whether it has it. */
  readonly listVehicleArtefacts: {
    readonly ask: {
      readonly path: { readonly vehicle: string; };
    };
    readonly answer: Page<VehicleArtefactsItem>;
  };
  /** Publish a scheme, a profile, a rental policy or a flow to cars. */
  readonly publishArtefact: {
    readonly ask: {
      readonly path: { readonly kind: string; readonly name: string; };
      readonly body: PublishArtefactBody;
    };
    readonly answer: ArtefactsItem;
  };
};
