/** Speed over time, by uPlot. The numbers are also in the list of events; the plot is for the eye. */
import { useEffect, useRef } from "preact/hooks";
import UPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useSpeech } from "../words/words.ts";

const HEIGHT = 140;
/** Of one time on the axis with the room around it. */
const TIME_PX = 90;

export function SpeedPlot(props: {
  readonly speeds: readonly (readonly [atS: number, speedKmh: number])[];
  readonly label: string;
}) {
  const { speeds, label } = props;
  const { clock, language } = useSpeech();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(undefined);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const style = getComputedStyle(element);
    const color = style.getPropertyValue("--accent");
    const soft = style.getPropertyValue("--soft");
    const made = new UPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        axes: [
          {
            stroke: soft,
            grid: { show: false },
            space: TIME_PX,
            values: (_plot, splits) =>
              splits.map((atS) => clock(new Date(atS * 1000).toISOString())),
          },
          { stroke: soft, size: 44, grid: { width: 1 } },
        ],
        series: [{}, { stroke: color, width: 2, points: { show: false } }],
      },
      [[], []],
      element,
    );
    plot.current = made;
    const follow = new ResizeObserver(() =>
      made.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    follow.observe(element);
    return () => {
      follow.disconnect();
      made.destroy();
    };
  }, [language]);
  useEffect(() => {
    plot.current?.setData([speeds.map(([at]) => at), speeds.map(([, speed]) => speed)]);
  }, [speeds, language]);
  return <div ref={box} class="plot" role="img" aria-label={label} />;
}
