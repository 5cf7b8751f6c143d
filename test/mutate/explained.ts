/** What a row of survivors.ts is, and the reasons that rows of several parts have. */
export type Explained = {
  readonly file: string;
  /** The line the change begins in, without the blanks around it. */
  readonly inLine: string;
  /** As the run prints it: `was → is`. */
  readonly change: string;
  readonly why: string;
};

export const NO_BOOKING = "What is no open rental has no booking: the types ask which it is.";
export const NOT_UP = "A line that is not up takes no message.";
