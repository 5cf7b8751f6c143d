/** The cars on a map. What draws it is loaded when the first one is shown. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Marker, Point } from "../types.ts";
import { useSpeech } from "../words/words.ts";
import type { CarsOnMap, Shown } from "./gl-map.ts";

/** Fetched while what it will show still comes. */
const gl = (): Promise<typeof import("./gl-map.ts")> => import("./gl-map.ts");

const NOWHERE: readonly Point[] = [];

type Props = {
  readonly markers: readonly Marker[];
  readonly track?: readonly Point[];
  /** False while more is to come that it should show at once. */
  readonly ready?: boolean;
  readonly label: string;
  readonly dark: boolean;
  readonly onChoose?: (id: string) => void;
};

export function CarMap({ markers, track, ready, label, dark, onChoose }: Props) {
  const { say } = useSpeech();
  const box = useRef<HTMLDivElement>(null);
  const [map, setMap] = useState<CarsOnMap>();
  const choose = useRef(onChoose);
  choose.current = onChoose;
  const shown: Shown = { markers, track: track ?? NOWHERE };
  const latest = useRef(shown);
  latest.current = shown;
  const waits = ready === false;
  useEffect(() => {
    let made: CarsOnMap | undefined;
    let gone = false;
    const open = async (): Promise<void> => {
      const { openMap } = await gl();
      if (gone || waits || box.current === null) return;
      made = openMap(box.current, dark, latest.current, (id) => choose.current?.(id));
      setMap(made);
    };
    // Without a map the list still says everything.
    open().catch(() => undefined);
    return () => {
      gone = true;
      setMap(undefined);
      made?.remove();
    };
  }, [dark, waits]);
  useEffect(() => map?.show({ markers, track: track ?? NOWHERE }), [map, markers, track]);
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
