import type { Depth, MapData, Topic } from "../api/types";
import type { Camera } from "./camera";

export interface Label { topic: Topic; x: number; y: number; width: number; height: number }
export interface Placed { topic: Topic; left: number; top: number }

/** Where each topic's name stands: in the middle of its documents, that is at the median of their places. */
export function labelsOf(map: MapData, topics: Topic[]): Record<Depth, Label[]> {
  const found: Record<Depth, Label[]> = { broad: [], shown: [], fine: [] };
  if (!map.topics) return found;
  for (const depth of ["broad", "shown", "fine"] as Depth[]) {
    const members = new Map<number, number[]>();
    map.topics[depth].forEach((topic, row) => {
      if (topic < 0) return;
      const rows = members.get(topic);
      if (rows) rows.push(row); else members.set(topic, [row]);
    });
    for (const topic of topics.filter((t) => t.depth === depth)) {
      const rows = members.get(topic.id);
      if (rows) found[depth].push({ topic, x: median(map.x, rows), y: median(map.y, rows), width: 0, height: 0 });
    }
    found[depth].sort((a, b) => b.topic.size - a.topic.size);
  }
  return found;
}

function median(values: Float32Array, rows: number[]): number {
  const step = Math.max(1, Math.floor(rows.length / 2000));
  const some = Float32Array.from(rows.filter((_, i) => i % step === 0), (row) => values[row]).sort();
  return some[some.length >> 1];
}

/** Broad topics from afar, shown ones nearer, fine ones when close; a depth that is empty gives way to the next. */
export function depthAt(zoom: number, labels: Record<Depth, Label[]>): Depth[] {
  const broad = labels.broad.length > 0;
  if (zoom < 1.4 && broad) return ["broad"];
  if (zoom < 4) return ["shown"];
  return ["fine", "shown"];
}

/** The largest first; none over another, none over the edge. */
export function layOut(labels: Label[], camera: Camera, most: number): Placed[] {
  const taken: [number, number, number, number][] = [], placed: Placed[] = [];
  for (const label of labels) {
    if (placed.length >= most) break;
    const [x, y] = camera.toScreen(label.x, label.y);
    const left = x - label.width / 2, top = y - label.height / 2;
    if (left < 4 || top < 4 || left + label.width > camera.width - 4 || top + label.height > camera.height - 4) continue;
    const box: [number, number, number, number] = [left - 6, top - 3, left + label.width + 6, top + label.height + 3];
    if (taken.some((t) => box[0] < t[2] && box[2] > t[0] && box[1] < t[3] && box[3] > t[1])) continue;
    taken.push(box);
    placed.push({ topic: label.topic, left, top });
  }
  return placed;
}
