import type { Coloring, MapData, SearchAnswer, Topic } from "../api/types";
import { FAINT, GROUND, groups, ramp, SHADES, type Theme } from "../colour/palette";
import { css, mixed } from "../colour/oklch";
import { FULL, HIDDEN, PALE, type Look } from "../map/painter";

export interface Entry { key: string; name: string; count: number; color: string; topic: number | null }
export interface Legend { title: string; entries: Entry[]; ends: [string, string] | null; ramp: string[] }

/** Colours of the points, and what they mean. */
export function lookOf(
  by: string, map: MapData, topics: Topic[], coloring: Coloring | null, scores: Float32Array | null, theme: Theme,
): { look: Look; legend: Legend } {
  const ground = GROUND[theme];
  const made = (index: Uint8Array | Uint16Array, colors: Uint32Array, legend: Legend) => ({
    look: { index, colors, ground, pale: colors.map((color) => mixed(color, ground, theme === "light" ? 0.8 : 0.72)) }, legend,
  });
  const shades = ramp(theme), bar = [...shades].map(css);
  if (by === "trust") {
    const index = map.trust.map((value) => Math.round((value / 255) * (SHADES - 1)));
    return made(index, shades, { title: "Trust", entries: [], ends: ["neighbours lost", "all kept"], ramp: bar });
  }
  if (by === "score" && scores) {
    const { index, low, high } = ranked(scores);
    const ends: [string, string] = [low.toFixed(2), high.toFixed(2)];
    return made(index, shades, { title: "Nearness to the search (cosine)", entries: [], ends, ramp: bar });
  }
  if (coloring && coloring.name === by) {
    if (!coloring.groups.length) {
      return made(coloring.index, shades, { title: by, entries: [], ends: coloring.ends, ramp: bar });
    }
    const colors = groups(coloring.groups.length, theme);
    if (coloring.rest !== null) colors[coloring.rest] = FAINT[theme];
    const entries = coloring.groups.map((name, i) => ({
      key: String(i), name, count: coloring.counts[i], color: css(colors[i]), topic: null,
    }));
    return made(coloring.index, colors, { title: by, entries, ends: null, ramp: [] });
  }
  return byTopic(map, topics, theme, made);
}

function byTopic<A>(
  map: MapData, topics: Topic[], theme: Theme,
  made: (index: Uint16Array, colors: Uint32Array, legend: Legend) => A,
): A {
  const shown = topics.filter((topic) => topic.depth === "shown");
  const place = new Map(shown.map((topic, i) => [topic.id, i]));
  const colors = Uint32Array.from([...groups(shown.length, theme), FAINT[theme]]);
  const index = new Uint16Array(map.x.length).fill(shown.length);
  map.topics?.shown.forEach((topic, row) => { index[row] = place.get(topic) ?? shown.length; });
  const entries: Entry[] = shown.map((topic, i) => ({
    key: String(topic.id), name: topic.name, count: topic.size, color: css(colors[i]), topic: topic.id,
  }));
  return made(index, colors, { title: "Topic", entries, ends: null, ramp: [] });
}

function ranked(scores: Float32Array) {
  const some = scores.slice().sort(), low = some[0] ?? 0, high = some[some.length - 1] ?? 1;
  const from = some[Math.floor(some.length * 0.5)] ?? low;  // the lower half is as far as can be
  const index = Uint8Array.from(scores, (score) =>
    Math.round(Math.max(0, Math.min(1, (score - from) / Math.max(1e-6, high - from))) * (SHADES - 1)));
  return { index, low, high };
}

/** Who stands out: those selected, else those found, else those of a topic, else all. */
export function emphasisOf(
  map: MapData, rows: number[] | null, result: SearchAnswer | null, topic: Topic | undefined, hidden: Set<number>,
  index: Uint8Array | Uint16Array, shades: boolean,
): Uint8Array {
  const emphasis = new Uint8Array(map.x.length);
  if (rows) { emphasis.fill(PALE); for (const row of rows) emphasis[row] = FULL; }
  else if (result?.hits.length && !shades) {
    emphasis.fill(PALE);
    for (const hit of result.hits) if (hit.row >= 0) emphasis[hit.row] = FULL;
  } else if (topic && map.topics) {
    const of = map.topics[topic.depth];
    for (let i = 0; i < emphasis.length; i++) emphasis[i] = of[i] === topic.id ? FULL : PALE;
  } else emphasis.fill(FULL);
  if (hidden.size) for (let i = 0; i < emphasis.length; i++) if (hidden.has(index[i])) emphasis[i] = HIDDEN;
  return emphasis;
}
