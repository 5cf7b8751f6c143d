/** A table that scrolls sideways where it must, by keyboard too. */
import type { ComponentChildren } from "preact";
import type { Word } from "../words/en.ts";
import { useSpeech } from "../words/words.ts";

type Props = {
  /** The id of its heading. */
  readonly heading: string;
  readonly columns: readonly Word[];
  /** One more column, without a name: what can be done. */
  readonly deeds?: boolean;
  readonly children: ComponentChildren;
};

export function Table({ heading, columns, deeds, children }: Props) {
  const { say } = useSpeech();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard (WCAG 2.1.1).
    <section class="table" tabIndex={0} aria-labelledby={heading}>
      <table>
        <thead>
          <tr>
            {columns.map((word) => (
              <th key={word} scope="col">
                {say(word)}
              </th>
            ))}
            {deeds === true && <td />}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}
