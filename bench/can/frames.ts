/** The traffic that the codecs are measured on: 8-byte frames of 4 signals each, of both byte orders. */

export const MESSAGES = 16;
export const FRAMES = 4096;
export const FIRST_ID = 0x100;

/** Mixed orders, widths, signs and scalings, as cars have them; none crosses what a peer cannot do. */
export const DBC_TEXT: string = `VERSION ""\n\nNS_ :\n\nBS_:\n\nBU_: A\n\n${Array.from(
  { length: MESSAGES },
  (_, i) => `BO_ ${FIRST_ID + i} M${i}: 8 A
 SG_ Speed${i} : 0|16@1+ (0.01,0) [0|655.35] "km/h" A
 SG_ Torque${i} : 23|12@0+ (0.5,-400) [-400|1647.5] "Nm" A
 SG_ Temp${i} : 32|8@1- (1,-40) [-168|87] "degC" A
 SG_ Rpm${i} : 47|16@0+ (0.25,0) [0|16383.75] "rpm" A

`,
).join("")}`;

export type BenchFrame = { readonly id: number; readonly data: Uint8Array };

/** The same bytes on every run: a linear congruential generator (Numerical Recipes), its upper bits. */
export function payloadsOf(seed: number): (length: number) => Uint8Array {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
  return (length) => Uint8Array.from({ length }, next);
}

export function benchFrames(): BenchFrame[] {
  const payload = payloadsOf(1);
  return Array.from({ length: FRAMES }, (_, i) => ({
    id: FIRST_ID + (i % MESSAGES),
    data: payload(8),
  }));
}
