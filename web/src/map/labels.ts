import type { Depth, MapData, Topic } from "../api/types";
import type { Camera } from "./camera";

export interface Size { width: number; height: number }
export interface Label { topic: Topic; x: number; y: number; size: Size }
export interface Placed { topic: Topic; left: number; top: number }
export interface Box { left: number; top: number; right: number; bottom: number }

const SAMPLE = 20_000;  // documents in view that are enough to tell where a topic's middle is
const EDGE = 4;  // pixels between a name and the edge
const SEEN = 0.01;  // share of what is in view, from which on a topic is named that lies elsewhere for the most part

/**
 * Where each topic's name stands: in the middle of those of its documents that are in view, so that there are names
 * however near one is. The largest in view come first.
 */
export function labelsOf(map: MapData, topics: Topic[], depth: Depth, camera: Camera, sizes: Map<number, Size>): Label[] {
  if (!map.topics) return [];
  const rows = inView(map, camera), of = map.topics[depth];
  const step = Math.max(1, Math.floor(rows.length / SAMPLE)), members = new Map<number, number[]>();
  for (let i = 0; i < rows.length; i += step) {
    const topic = of[rows[i]], known = members.get(topic);
    if (known) known.push(rows[i]); else if (topic >= 0) members.set(topic, [rows[i]]);
  }
  const labels: Label[] = [], seen = new Map<number, number>();
  for (const topic of topics) {
    const own = topic.depth === depth ? members.get(topic.id) : undefined, size = sizes.get(topic.id);
    if (!own || !size) continue;
    const count = own.length * step;
    if (count < rows.length * SEEN && count * 2 < topic.size) continue;
    seen.set(topic.id, count);
    labels.push({ topic, x: median(map.x, own), y: median(map.y, own), size });
  }
  return labels.sort((a, b) => seen.get(b.topic.id)! - seen.get(a.topic.id)!);
}

function inView(map: MapData, camera: Camera): Int32Array {
  const [x0, y1] = camera.toPlane(0, 0), [x1, y0] = camera.toPlane(camera.width, camera.height);
  const { x, y } = map, rows = new Int32Array(x.length);
  let count = 0;
  for (let i = 0; i < x.length; i++) if (x[i] >= x0 && x[i] <= x1 && y[i] >= y0 && y[i] <= y1) rows[count++] = i;
  return rows.subarray(0, count);
}

function median(values: Float32Array, rows: number[]): number {
  const some = Float32Array.from(rows, (row) => values[row]).sort();
  return some[some.length >> 1];
}

/** Broad topics from afar, shown ones nearer, fine ones when close; a depth that is empty gives way to the next. */
export function depthsAt(zoom: number, topics: Topic[]): Depth[] {
  const has = (depth: Depth) => topics.some((topic) => topic.depth === depth);
  if (zoom < 1.4 && has("broad")) return ["broad"];
  if (zoom < 4 || !has("fine")) return ["shown"];
  return ["fine", "shown"];
}

/** The first ones first; none over another, or under what lies over the map; from over the edge they are moved in. */
export function layOut(labels: Label[], camera: Camera, most: number, covered: Box[]): Placed[] {
  const taken = [...covered], placed: Placed[] = [];
  for (const { topic, x, y, size } of labels) {
    if (placed.length >= most) break;
    const [across, down] = camera.toScreen(x, y);
    if (across < 0 || down < 0 || across > camera.width || down > camera.height) continue;
    const left = within(across - size.width / 2, camera.width - size.width);
    const top = within(down - size.height / 2, camera.height - size.height);
    const right = left + size.width, bottom = top + size.height;
    const box = { left: left - 6, top: top - 3, right: right + 6, bottom: bottom + 3 };
    if (taken.some((t) => box.left < t.right && box.right > t.left && box.top < t.bottom && box.bottom > t.top)) continue;
    taken.push(box);
    placed.push({ topic, left, top });
  }
  return placed;
}

const within = (place: number, most: number) => Math.max(EDGE, Math.min(most - EDGE, place));
