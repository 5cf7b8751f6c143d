/** What a webhook's receiver refused too often: told why, and sent again by who may. */
import type { Api } from "../api.ts";
import { useSpeech } from "../words/words.ts";
import { Failed } from "./failed.tsx";
import type { Deed } from "./use-deed.ts";
import { useLoaded } from "./use-loaded.ts";

type Props = {
  readonly api: Api;
  readonly webhook: string;
  /** How many there are: as it changes, they are asked for anew. */
  readonly dead: number;
  readonly deed: Deed;
};

export function DeadLetters({ api, webhook, dead, deed }: Props) {
  const { say } = useSpeech();
  const path = { webhook };
  const page = useLoaded(() => api.call("listDeadDeliveries", { path }), `${webhook} ${dead}`);
  const may = api.may("webhooks:write");
  const redrive = (deliveries?: readonly number[]): void =>
    deed.act(() =>
      api.call("redriveDeliveries", {
        path,
        body: deliveries === undefined ? {} : { deliveries },
      }),
    );
  const heading = `dead-${webhook}`;
  return (
    <section aria-labelledby={heading}>
      <h4 id={heading}>{say("givenUp", { count: dead })}</h4>
      <Failed words={page.failed === "" ? say("failed") : page.failed} />
      <ul class="plain">
        {page.value?.items.map(({ delivery, first, last, attempts, why }) => (
          <li key={delivery} data-delivery={delivery}>
            <span>
              {why}
              <span class="sub">
                {" "}
                {say("tried", { attempts, changes: first === last ? first : `${first}–${last}` })}
              </span>
            </span>
            {may && (
              <button type="button" onClick={() => redrive([delivery])}>
                {say("sendAgain")}
              </button>
            )}
          </li>
        ))}
      </ul>
      {may && dead > 1 && (
        <button type="button" onClick={() => redrive()}>
          {say("sendAllAgain")}
        </button>
      )}
    </section>
  );
}
