/** What of the plane is seen: a place in the middle, and how many pixels a unit is. Up is up. */
export class Camera {
  x = 0; y = 0; scale = 1; width = 1; height = 1;
  home = { x: 0, y: 0, scale: 1 };

  /** Pixels of a place. */
  toScreen(x: number, y: number): [number, number] {
    return [(x - this.x) * this.scale + this.width / 2, (this.y - y) * this.scale + this.height / 2];
  }
  toPlane(px: number, py: number): [number, number] {
    return [(px - this.width / 2) / this.scale + this.x, this.y - (py - this.height / 2) / this.scale];
  }
  /** How much nearer than when all is seen. */
  get zoom() { return this.scale / this.home.scale; }
  pan(dx: number, dy: number) { this.x -= dx / this.scale; this.y += dy / this.scale; }
  zoomBy(factor: number, px = this.width / 2, py = this.height / 2) {
    const scale = Math.min(this.home.scale * 300, Math.max(this.home.scale * 0.6, this.scale * factor));
    this.x += (px - this.width / 2) * (1 / this.scale - 1 / scale);
    this.y -= (py - this.height / 2) * (1 / this.scale - 1 / scale);
    this.scale = scale;
  }
  /** Where all of a map is seen, beside what lies over its right and its lower edge. */
  fit(xs: Float32Array, ys: Float32Array, free: { right: number; bottom: number }) {
    const margin = 28;
    let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
    for (let i = 0; i < xs.length; i++) {
      if (xs[i] < x0) x0 = xs[i]; if (xs[i] > x1) x1 = xs[i];
      if (ys[i] < y0) y0 = ys[i]; if (ys[i] > y1) y1 = ys[i];
    }
    const wide = Math.max(80, this.width - free.right - 2 * margin) / Math.max(1e-9, x1 - x0);
    const high = Math.max(80, this.height - free.bottom - 2 * margin) / Math.max(1e-9, y1 - y0);
    const scale = Math.min(wide, high);
    this.home = { x: (x0 + x1) / 2 + free.right / 2 / scale, y: (y0 + y1) / 2 - free.bottom / 2 / scale, scale };
  }
  goHome() { this.x = this.home.x; this.y = this.home.y; this.scale = this.home.scale; }
}
