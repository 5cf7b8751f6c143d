/** The car from above: doors, trunk and hood as they are known to be. The words beside it say the same. */
import type { CarState } from "../fold.ts";

type Flap = {
  readonly d: string;
  readonly hinge: readonly [number, number];
  readonly open: number;
};
const FLAPS: Readonly<Record<string, Flap>> = {
  driver: { d: "M30 62 v34", hinge: [30, 62], open: 48 },
  passenger: { d: "M90 62 v34", hinge: [90, 62], open: -48 },
  rearDriver: { d: "M30 100 v32", hinge: [30, 100], open: 48 },
  rearPassenger: { d: "M90 100 v32", hinge: [90, 100], open: -48 },
};
const LIDS: Readonly<Record<string, readonly [shut: string, open: string]>> = {
  hood: ["M38 38 Q60 30 82 38", "M38 38 Q60 12 82 38"],
  trunk: ["M38 164 Q60 170 82 164", "M38 164 Q60 190 82 164"],
};
const tone = (open: boolean | undefined): string =>
  open === undefined ? "unseen" : open ? "open" : "shut";

export function Drawing({ state }: { readonly state: CarState }) {
  const { doors, locked } = state;
  const shackle =
    locked === false ? "M54 108 v-5 a6 6 0 0 1 11 -3" : "M54 108 v-5 a6 6 0 0 1 12 0 v5";
  return (
    <svg class="drawing" viewBox="-6 8 132 186" aria-hidden="true">
      <path
        class="body"
        d="M32 44 Q34 24 60 22 Q86 24 88 44 L90 66 V150 Q89 176 60 178 Q31 176 30 150 V66 Z"
      />
      <path class="glass" d="M37 66 Q60 56 83 66 L78 82 Q60 76 42 82 Z" />
      <path class="glass" d="M40 146 Q60 152 80 146 L83 158 Q60 166 37 158 Z" />
      {Object.entries(FLAPS).map(([name, { d, hinge, open }]) => (
        <path
          key={name}
          class={`flap ${tone(doors[name])}`}
          d={d}
          transform={doors[name] === true ? `rotate(${open} ${hinge[0]} ${hinge[1]})` : undefined}
        />
      ))}
      {Object.entries(LIDS).map(([name, [shut, open]]) => (
        <path
          key={name}
          class={`flap ${tone(doors[name])}`}
          d={doors[name] === true ? open : shut}
        />
      ))}
      {locked === undefined ? (
        <text class="lock-unknown" x="60" y="118" text-anchor="middle">
          ?
        </text>
      ) : (
        <g class={locked ? "padlock shut" : "padlock open"}>
          <rect x="51" y="108" width="18" height="14" rx="3" />
          <path d={shackle} />
        </g>
      )}
    </svg>
  );
}
