import { FULL } from "./painter";

/** The point nearest to a place, within a distance; -1: none. All are compared: that takes less than a millisecond. */
export function nearest(
  xs: Float32Array, ys: Float32Array, emphasis: Uint8Array, x: number, y: number, within: number,
): number {
  let best = -1, least = within * within;
  for (let i = 0; i < xs.length; i++) {
    const dx = xs[i] - x, dy = ys[i] - y, far = dx * dx + dy * dy;
    if (far < least && emphasis[i] === FULL) { least = far; best = i; }
  }
  return best;
}

/** Rows of the points inside a polygon: an even-odd count of the edges to the right. */
export function inside(xs: Float32Array, ys: Float32Array, polygon: [number, number][]): number[] {
  let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
  for (const [x, y] of polygon) {
    x0 = Math.min(x0, x); x1 = Math.max(x1, x); y0 = Math.min(y0, y); y1 = Math.max(y1, y);
  }
  const found: number[] = [];
  for (let i = 0; i < xs.length; i++) {
    const x = xs[i], y = ys[i];
    if (x < x0 || x > x1 || y < y0 || y > y1) continue;
    let odd = false;
    for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a++) {
      const [ax, ay] = polygon[a], [bx, by] = polygon[b];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
    }
    if (odd) found.push(i);
  }
  return found;
}
