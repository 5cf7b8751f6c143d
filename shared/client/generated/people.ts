/** Of the API, what has the tag "people": made by `node scripts/client.ts` from the API's description. */
import type { Nothing, Page } from "../page.ts";

export type BeginCardAnswer = {
  /** of the provider, for the person to enter a card at; it holds for one person */ readonly page: string;
};

export type CertifyErasureAnswer = {
  /** what is certified, as it was signed */ readonly statement: string;
  /** of the tenant's audit key, in hexadecimal */ readonly publicKey: string;
  /** Ed25519, in hexadecimal */ readonly signature: string;
};

export type ChangeMeBody = {
  /** as the person writes it */ readonly name?: string;
  /** RFC 5321 § 4.5.3.1.3 */ readonly email?: string;
  /** E.164 */ readonly phone?: string;
  /** ISO 8601 */ readonly birthDate?: string;
  /** where the person lives */ readonly address?: string;
  /** number of the driving licence */ readonly licence?: string;
  /** number of a passport or identity card */ readonly nationalId?: string;
};

export type ChangePersonBody = {
  readonly profile: {
    /** as the person writes it */ readonly name?: string;
    /** RFC 5321 § 4.5.3.1.3 */ readonly email?: string;
    /** E.164 */ readonly phone?: string;
    /** ISO 8601 */ readonly birthDate?: string;
    /** where the person lives */ readonly address?: string;
    /** number of the driving licence */ readonly licence?: string;
    /** number of a passport or identity card */ readonly nationalId?: string;
  };
  /** last use (ISO 8601) */ readonly usedAt?: string;
  /** last payment (ISO 8601) */ readonly paidAt?: string;
};

export type ChargePersonAnswer = {
  /** the provider's reference */ readonly charge: string;
  readonly state: "charged" | "declined";
};

export type ChargePersonBody = {
  /** the same is charged once, however often it is asked for */ readonly reference: string;
  /** in the currency's smallest unit */ readonly amountMinor: number;
  /** ISO 4217 */ readonly currency: string;
};

export type ConsentsItem = {
  /** to what */ readonly purpose: "terms" | "privacy" | "marketing";
  /** of the text */ readonly version: string;
  /** when it was given (ISO 8601) */ readonly givenAt: string;
  /** when it was withdrawn (ISO 8601) */ readonly withdrawnAt?: string;
};

export type ErasePersonBody = {
  /** why, for the audit trail */ readonly reason: string;
  /** before the legal term has passed: the person asked for it */ readonly early?: boolean;
};

export type ErasuresItem = {
  /** whom */ readonly person: string;
  /** what is to be done next */ readonly stage: "suspend" | "erase" | "certify";
  /** by what the person did */ readonly term: string;
  /** when it may be done (ISO 8601) */ readonly due: string;
  /** a legal hold keeps the person */ readonly held: boolean;
};

export type GiveConsentBody = {
  /** to what */ readonly purpose: "terms" | "privacy" | "marketing";
  /** of the text that was shown */ readonly version: string;
};

export type HoldsItem = {
  /** its id */ readonly hold: string;
  /** whom it keeps */ readonly person?: string;
  /** which car it keeps */ readonly vehicle?: string;
  /** with the car: since when (ISO 8601) */ readonly from?: string;
  /** with the car: until when (ISO 8601) */ readonly to?: string;
  /** which proceedings */ readonly reason: string;
  /** who may read the copy */ readonly readers: readonly (string)[];
  /** when (ISO 8601) */ readonly placedAt: string;
  /** when it ended (ISO 8601) */ readonly releasedAt?: string;
};

export type Me = {
  /** opaque id */ readonly person: string;
  /** suspended and erased are for good */ readonly state: "active" | "suspended" | "erased";
  readonly profile: {
    /** as the person writes it */ readonly name?: string;
    /** RFC 5321 § 4.5.3.1.3 */ readonly email?: string;
    /** E.164 */ readonly phone?: string;
    /** ISO 8601 */ readonly birthDate?: string;
    /** where the person lives */ readonly address?: string;
    /** number of the driving licence */ readonly licence?: string;
    /** number of a passport or identity card */ readonly nationalId?: string;
    /** the payment provider's token; never a card's number */ readonly paymentToken?: string;
  };
  /** when (ISO 8601) */ readonly createdAt: string;
  /** last use (ISO 8601) */ readonly usedAt?: string;
  /** last payment (ISO 8601) */ readonly paidAt?: string;
  /** when (ISO 8601) */ readonly suspendedAt?: string;
  /** when (ISO 8601) */ readonly erasedAt?: string;
};

export type Person = {
  /** opaque id */ readonly person: string;
  /** suspended and erased are for good */ readonly state: "active" | "suspended" | "erased";
  readonly profile: {
    /** as the person writes it */ readonly name?: string;
    /** RFC 5321 § 4.5.3.1.3 */ readonly email?: string;
    /** E.164 */ readonly phone?: string;
    /** ISO 8601 */ readonly birthDate?: string;
    /** where the person lives */ readonly address?: string;
    /** number of the driving licence */ readonly licence?: string;
    /** number of a passport or identity card */ readonly nationalId?: string;
  };
  /** when (ISO 8601) */ readonly createdAt: string;
  /** last use (ISO 8601) */ readonly usedAt?: string;
  /** last payment (ISO 8601) */ readonly paidAt?: string;
  /** when (ISO 8601) */ readonly suspendedAt?: string;
  /** when (ISO 8601) */ readonly erasedAt?: string;
};

export type PlaceHoldBody = {
  /** whom; or a car with its times */ readonly person?: string;
  /** car */ readonly vehicle?: string;
  /** with the car: since when (ISO 8601) */ readonly from?: string;
  /** with the car: until when (ISO 8601) */ readonly to?: string;
  /** which proceedings; no personal data */ readonly reason: string;
  readonly readers: readonly (string)[];
};

export type Privacy = {
  /** while the car is in somebody's booking */ readonly rented: "exact" | "coarse" | "none";
  /** else */ readonly free: "exact" | "coarse" | "none";
};

export type Retention = {
  /** days since they came in: events that say where a car was */ readonly positions?: number;
  /** days since they came in: other events that are personal */ readonly personal?: number;
};

export type SetOwnerAnswer = {
  /** whose car it is */ readonly person?: string;
};

export type WithdrawConsentAnswer = {
  readonly done: boolean;
};

export type WithdrawConsentBody = {
  /** to what */ readonly purpose: "terms" | "privacy" | "marketing";
};

export type PeopleOperations = {
  /** Have a person enter a card at the provider; the one before is given up. */
  readonly beginCard: {
    readonly ask: {
      readonly path: { readonly person: string; };
      readonly body?: Nothing;
    };
    readonly answer: BeginCardAnswer;
  };
  /** The signed certificate of an erasure, once every backup of the keys has ended. */
  readonly certifyErasure: {
    readonly ask: {
      readonly path: { readonly person: string; };
      readonly body?: Nothing;
    };
    readonly answer: CertifyErasureAnswer;
  };
  /** Correct it. */
  readonly changeMe: {
    readonly ask: {
      readonly body?: ChangeMeBody;
    };
    readonly answer: Me;
  };
  /** Change what is known of a person. */
  readonly changePerson: {
    readonly ask: {
      readonly path: { readonly person: string; };
      readonly body: ChangePersonBody;
    };
    readonly answer: Person;
  };
  /** Charge a person's card at the provider. */
  readonly chargePerson: {
    readonly ask: {
      readonly path: { readonly person: string; };
      readonly body: ChargePersonBody;
    };
    readonly answer: ChargePersonAnswer;
  };
  /** Make a person. */
  readonly createPerson: {
    readonly ask: {
      readonly body: ChangePersonBody;
    };
    readonly answer: Person;
  };
  /** Destroy the keys of a suspended person. */
  readonly erasePerson: {
    readonly ask: {
      readonly path: { readonly person: string; };
      readonly body: ErasePersonBody;
    };
    readonly answer: Nothing;
  };
  /** What is kept of me. */
  readonly getMe: {
    readonly ask: Nothing;
    readonly answer: Me;
  };
  /** A person. */
  readonly getPerson: {
    readonly ask: {
      readonly path: { readonly person: string; };
    };
    readonly answer: Person;
  };
  /** How exactly positions are kept. */
  readonly getPrivacy: {
    readonly ask: Nothing;
    readonly answer: Privacy;
  };
  /** How long what the cars report is kept, by class. */
  readonly getRetention: {
    readonly ask: Nothing;
    readonly answer: Retention;
  };
  /** Agree. */
  readonly giveConsent: {
    readonly ask: {
      readonly body: GiveConsentBody;
    };
    readonly answer: ConsentsItem;
  };
  /** What a person agreed to, and when. */
  readonly listConsents: {
    readonly ask: {
      readonly path: { readonly person: string; };
    };
    readonly answer: Page<ConsentsItem>;
  };
  /** Whose data is to be suspended, erased or certified, soonest first. */
  readonly listErasures: {
    readonly ask: {
      readonly query?: { /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<ErasuresItem>;
  };
  /** Legal holds. */
  readonly listHolds: {
    readonly ask: Nothing;
    readonly answer: Page<HoldsItem>;
  };
  /** People, by id. */
  readonly listPeople: {
    readonly ask: {
      readonly query?: { /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<Person>;
  };
  /** Keep a person, or a car within times, from being erased, with a copy for named readers. */
  readonly placeHold: {
    readonly ask: {
      readonly body: PlaceHoldBody;
    };
    readonly answer: HoldsItem;
  };
  /** Record that a person agreed. */
  readonly recordConsent: {
    readonly ask: {
      readonly path: { readonly person: string; };
      readonly body: GiveConsentBody;
    };
    readonly answer: ConsentsItem;
  };
  /** End a hold, and the copy with it. */
  readonly releaseHold: {
    readonly ask: {
      readonly path: { readonly hold: string; };
      readonly body?: Nothing;
    };
    readonly answer: Nothing;
  };
  /** Say which person a car belongs to; nobody where none is named. */
  readonly setOwner: {
    readonly ask: {
      readonly path: { readonly vehicle: string; };
      readonly body?: SetOwnerAnswer;
    };
    readonly answer: SetOwnerAnswer;
  };
  /** Say how exactly positions are kept from now on. */
  readonly setPrivacy: {
    readonly ask: {
      readonly body: Privacy;
    };
    readonly answer: Privacy;
  };
  /** Say how long what the cars report is kept, by class; what is older goes within the hour. */
  readonly setRetention: {
    readonly ask: {
      readonly body?: Retention;
    };
    readonly answer: Retention;
  };
  /** Suspend a person, for good: the first stage of erasure. */
  readonly suspendPerson: {
    readonly ask: {
      readonly path: { readonly person: string; };
      readonly body?: Nothing;
    };
    readonly answer: Person;
  };
  /** Withdraw what I agreed to. */
  readonly withdrawConsent: {
    readonly ask: {
      readonly body: WithdrawConsentBody;
    };
    readonly answer: WithdrawConsentAnswer;
  };
};
