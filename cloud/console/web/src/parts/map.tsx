/** The cars on a map. What draws it is loaded when the first one is shown. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Marker, Point } from "../types.ts";
import { useSpeech } from "../words/words.ts";
import type { CarsOnMap } from "./gl-map.ts";

type Props = {
  readonly markers: readonly Marker[];
  readonly track?: readonly Point[];
  readonly label: string;
  readonly dark: boolean;
  readonly onChoose?: (id: string) => void;
};

export function CarMap({ markers, track, label, dark, onChoose }: Props) {
  const { say } = useSpeech();
  const box = useRef<HTMLDivElement>(null);
  const [map, setMap] = useState<CarsOnMap>();
  const choose = useRef(onChoose);
  choose.current = onChoose;
  useEffect(() => {
    let made: CarsOnMap | undefined;
    let gone = false;
    const open = async (): Promise<void> => {
      const { openMap } = await import("./gl-map.ts");
      if (gone || box.current === null) return;
      made = openMap(box.current, dark, (id) => choose.current?.(id));
      setMap(made);
    };
    // Without a map the list still says everything.
    open().catch(() => undefined);
    return () => {
      gone = true;
      setMap(undefined);
      made?.remove();
    };
  }, [dark]);
  useEffect(() => map?.show(markers, track ?? []), [map, markers, track]);
  return (
    <section class="map" aria-label={label}>
      <div ref={box} class="glass-pane" />
      <span class="zoom">
        <button type="button" aria-label={say("closer")} onClick={() => map?.zoom(1)}>
          +
        </button>
        <button type="button" aria-label={say("farther")} onClick={() => map?.zoom(-1)}>
          −
        </button>
      </span>
    </section>
  );
}
