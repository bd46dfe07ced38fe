import { css } from "../colour/oklch";
import { GROUND, type Theme } from "../colour/palette";
import type { Series } from "../state/periods";

const W = 1_200, H = 480, EDGE = 40, LINE = 30, DOT = 8;
const FONT = "20px system-ui, sans-serif";

/** The bars of `Stacked.svelte` with their key as a PNG, for slides and papers. */
export function chartPicture(periods: string[], series: Series[], theme: Theme): Promise<Blob | null> {
  const canvas = document.createElement("canvas");
  canvas.width = W + 2 * EDGE;
  canvas.height = H + 3 * EDGE + LINE * series.length;
  const pen = canvas.getContext("2d")!;
  pen.fillStyle = css(GROUND[theme]);
  pen.fillRect(0, 0, canvas.width, canvas.height);
  const most = Math.max(1, ...periods.map((_, i) => series.reduce((sum, each) => sum + each.counts[i], 0)));
  const step = W / Math.max(1, periods.length), gap = Math.min(6, step * 0.15);
  periods.forEach((_, i) => {
    let top = EDGE + H;
    for (const each of series) {
      const height = (each.counts[i] / most) * H;
      pen.fillStyle = each.color;
      pen.fillRect(EDGE + i * step, (top -= height), step - gap, height);
    }
  });
  pen.font = FONT;
  pen.textBaseline = "middle";
  const write = (text: string, x: number, y: number, align: CanvasTextAlign) => {
    pen.fillStyle = theme === "light" ? "#222" : "#eee";
    pen.textAlign = align;
    pen.fillText(text, x, y, W - DOT * 4);
  };
  const under = H + EDGE * 1.6;
  write(periods[0] ?? "", EDGE, under, "left");
  write(`at most ${most.toLocaleString("en")}`, EDGE + W / 2, under, "center");
  write(periods[periods.length - 1] ?? "", EDGE + W, under, "right");
  series.forEach((each, i) => {
    const y = H + 2.5 * EDGE + LINE * i;
    pen.fillStyle = each.color;
    pen.beginPath();
    pen.arc(EDGE + DOT, y, DOT, 0, 2 * Math.PI);
    pen.fill();
    write(each.name, EDGE + DOT * 4, y, "left");
  });
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
