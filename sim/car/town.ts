/**
 * Sundholm: a town that does not exist, so that nobody lives where the simulated car goes. Metres east and north of
 * its market square, which is put at a place on the globe (WGS 84) where there are fields.
 */
export const TOWN_ORIGIN = { latitude: 53.7352, longitude: 12.1874, altitudeM: 14 } as const;

type Corner = {
  readonly at: readonly [eastM: number, northM: number];
  /** Radius of the bend at this corner, metres. */
  readonly radiusM: number;
  /** The street that leads on from here and what may be driven on it, km/h. */
  readonly street: string;
  readonly limitKmh: number;
  /** What satellites see of the street: all, little between high houses, nothing under the railway. */
  readonly sky?: Sky;
};
export type Sky = "open" | "canyon" | "covered";

/** The round that the car drives: closed, the last corner leads back to the first. The car begins on the first. */
export const ROUND: readonly Corner[] = [
  { at: [0, 0], radiusM: 0, street: "Market Street", limitKmh: 30 },
  { at: [180, 0], radiusM: 14, street: "Mill Lane", limitKmh: 30 },
  { at: [195, 160], radiusM: 30, street: "Mill Lane", limitKmh: 30, sky: "canyon" },
  { at: [330, 260], radiusM: 24, street: "Station Road", limitKmh: 50 },
  { at: [430, 256.5], radiusM: 0, street: "Railway Underpass", limitKmh: 50, sky: "covered" },
  { at: [490, 254.5], radiusM: 0, street: "Station Road", limitKmh: 50 },
  { at: [620, 250], radiusM: 30, street: "Eastgate", limitKmh: 50 },
  { at: [760, 420], radiusM: 70, street: "Ring Road", limitKmh: 70 },
  { at: [740, 760], radiusM: 90, street: "Ring Road", limitKmh: 70 },
  { at: [420, 930], radiusM: 90, street: "North Bridge", limitKmh: 50 },
  { at: [60, 900], radiusM: 45, street: "North Bridge", limitKmh: 50 },
  { at: [-120, 700], radiusM: 40, street: "River Road", limitKmh: 50 },
  { at: [-160, 420], radiusM: 60, street: "River Road", limitKmh: 50 },
  { at: [-330, 260], radiusM: 30, street: "Orchard Way", limitKmh: 30 },
  { at: [-340, 60], radiusM: 16, street: "Orchard Way", limitKmh: 30 },
  { at: [-200, 0], radiusM: 20, street: "Market Street", limitKmh: 30 },
];

type Line = readonly (readonly [eastM: number, northM: number])[];

/** What lies around the round, for maps: side streets, the river, the park and the lake. */
export const TOWN_MAP: {
  readonly streets: readonly Line[];
  readonly river: Line;
  readonly greens: readonly Line[];
} = {
  streets: [
    [
      [-120, 0],
      [-110, 150],
      [-20, 300],
      [60, 420],
      [40, 640],
      [60, 900],
    ],
    [
      [195, 160],
      [60, 170],
      [-110, 150],
      [-330, 260],
    ],
    [
      [330, 260],
      [340, 430],
      [360, 640],
      [420, 930],
    ],
    [
      [60, 420],
      [340, 430],
      [560, 470],
      [760, 420],
    ],
    [
      [40, 640],
      [360, 640],
      [600, 690],
      [740, 760],
    ],
    [
      [180, 0],
      [420, -40],
      [560, 90],
      [620, 250],
    ],
    [
      [-200, 0],
      [-180, -140],
      [20, -170],
      [180, -130],
      [180, 0],
    ],
    [
      [0, 0],
      [20, -170],
    ],
    [
      [-160, 420],
      [-20, 300],
    ],
    [
      [-120, 700],
      [40, 640],
    ],
  ],
  river: [
    [-420, 1010],
    [-270, 860],
    [-235, 640],
    [-260, 430],
    [-420, 300],
    [-520, 60],
    [-560, -220],
  ],
  greens: [
    [
      [90, 470],
      [310, 475],
      [325, 610],
      [80, 605],
    ],
    [
      [250, 20],
      [410, 0],
      [520, 110],
      [560, 215],
      [350, 215],
      [225, 130],
    ],
    [
      [-150, -20],
      [-30, -20],
      [-10, -140],
      [-150, -120],
    ],
  ],
};
