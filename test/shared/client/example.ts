/** The worked example of docs/integrators.md, as it stands there. */
import { type Client, NoAnswer, Problem } from "@kerbside/client";

/** Books a car for an hour and opens it; says in words what became of it. */
export async function openFor(client: Client, vehicle: string, holder: string): Promise<string> {
  const from = new Date();
  const to = new Date(from.getTime() + 3_600_000);
  const times = { from: from.toISOString(), to: to.toISOString() };
  try {
    const body = { vehicle, holder, ...times };
    const { booking } = await client.call("createBooking", { body });
    let last = "nothing";
    for await (const command of client.command(vehicle, { action: "unlock", booking })) {
      const unmet = command.result?.unmet.map(({ words }) => words) ?? [];
      last = [command.state, ...unmet].join(": ");
    }
    return last;
  } catch (error) {
    if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
    return error.mayHaveSucceeded ? "look at the car" : `not done: ${error.message}`;
  }
}
