import type { Period, Topic } from "../api/types";
import { css } from "../colour/oklch";
import { FAINT, groups, type Theme } from "../colour/palette";

export interface Series { name: string; color: string; counts: number[] }
const MOST = 7;

/** Documents of each period by topic: the largest topics by themselves in the colours of the map, the rest together. */
export function stack(rows: Period[], shown: Topic[], theme: Theme): { periods: string[]; series: Series[] } {
  const periods = [...new Set(rows.map((row) => row.period))].sort();
  const place = new Map(periods.map((period, i) => [period, i]));
  const colors = groups(shown.length, theme);
  const sums = new Map<number, number>();
  for (const row of rows) sums.set(row.topic, (sums.get(row.topic) ?? 0) + row.documents);
  const order = [...sums].sort((a, b) => b[1] - a[1]).map(([topic]) => topic);
  const own = order.slice(0, order.length > MOST + 1 ? MOST : order.length);
  const series: Series[] = own.map((id) => {
    const at = shown.findIndex((topic) => topic.id === id);
    return {
      name: shown[at]?.name ?? String(id), color: css(at < 0 ? FAINT[theme] : colors[at]), counts: periods.map(() => 0),
    };
  });
  const others: Series = { name: `${order.length - own.length} more`, color: css(FAINT[theme]), counts: periods.map(() => 0) };
  if (own.length < order.length) series.push(others);
  for (const row of rows) (series[own.indexOf(row.topic)] ?? others).counts[place.get(row.period)!] += row.documents;
  return { periods, series };
}
