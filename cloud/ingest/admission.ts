/**
 * How much of a tenant is worked on at once, so that none can fill the queues that all share: threads that check
 * signatures, memory, turns of the event loop. What is above it waits for its own tenant's turn, the cars of a tenant one
 * after the other; how much can wait is bounded where it comes in, by what a broker leaves in the cars' sockets.
 */
type Waiting = () => void;
type Tenant = { under: number; readonly cars: Map<string, Waiting[]> };

export class Admission {
  readonly #tenants = new Map<string, Tenant>();
  readonly #underWayMax: number;

  constructor(underWayMax: number) {
    this.#underWayMax = underWayMax;
  }

  /** Runs when the tenant has room for it. Messages of one car begin in the order in which they came. */
  async run<T>(tenant: string, car: string, work: () => Promise<T>): Promise<T> {
    const home = this.#tenants.get(tenant) ?? { under: 0, cars: new Map<string, Waiting[]>() };
    this.#tenants.set(tenant, home);
    if (home.under < this.#underWayMax && home.cars.size === 0) home.under += 1;
    else await new Promise<void>((resolve) => queue(home.cars, car, resolve));
    try {
      return await work();
    } finally {
      this.#leave(tenant, home);
    }
  }

  /** Gives the room to who waits, or gives it up. */
  #leave(tenant: string, home: Tenant): void {
    const next = takeTurn(home.cars);
    if (next !== undefined) {
      next();
      return;
    }
    home.under -= 1;
    if (home.under === 0) this.#tenants.delete(tenant);
  }
}

function queue(cars: Map<string, Waiting[]>, car: string, waiting: Waiting): void {
  const mine = cars.get(car) ?? [];
  cars.set(car, mine);
  mine.push(waiting);
}

/** The oldest of the car whose turn it is; the car then goes behind the others. */
function takeTurn(cars: Map<string, Waiting[]>): Waiting | undefined {
  const [turn] = cars;
  if (turn === undefined) return undefined;
  const [car, mine] = turn;
  const first = mine.shift();
  cars.delete(car);
  if (mine.length > 0) cars.set(car, mine);
  return first;
}
