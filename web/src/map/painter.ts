import type { Camera } from "./camera";

// Points are written into the pixels of one canvas: the same picture in every browser, without WebGL, and fast enough
// for hundreds of thousands. While the map moves dots have hard edges and one pixel a pixel; at rest they are soft.
export const HIDDEN = 0, PALE = 1, FULL = 2;

export interface Look { index: Uint8Array | Uint16Array; colors: Uint32Array; pale: Uint32Array; ground: number }

export class Painter {
  private context: CanvasRenderingContext2D;
  private image!: ImageData;
  private pixels!: Uint32Array;

  constructor(readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d", { alpha: false })!;
  }

  draw(camera: Camera, xs: Float32Array, ys: Float32Array, emphasis: Uint8Array, look: Look, moving: boolean) {
    const ratio = moving ? 1 : Math.min(2, window.devicePixelRatio || 1);
    this.fit(Math.round(camera.width * ratio), Math.round(camera.height * ratio));
    this.pixels.fill(look.ground);
    const radius = dotRadius(camera, xs.length) * ratio;
    const hard = moving && xs.length > 40_000;
    let faint = false;
    for (let i = 0; i < emphasis.length && !faint; i++) faint = emphasis[i] === PALE;
    if (faint) this.paint(camera, ratio, xs, ys, emphasis, PALE, look.index, look.pale, radius * 0.85, hard);
    this.paint(camera, ratio, xs, ys, emphasis, FULL, look.index, look.colors, radius, hard);
    this.context.putImageData(this.image, 0, 0);
  }

  private fit(width: number, height: number) {
    if (this.image && this.canvas.width === width && this.canvas.height === height) return;
    this.canvas.width = width; this.canvas.height = height;
    this.image = this.context.createImageData(Math.max(1, width), Math.max(1, height));
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  private paint(
    camera: Camera, ratio: number, xs: Float32Array, ys: Float32Array, emphasis: Uint8Array, which: number,
    index: Uint8Array | Uint16Array, colors: Uint32Array, radius: number, hard: boolean,
  ) {
    const { width: w, height: h } = this.canvas, pixels = this.pixels, scale = camera.scale * ratio;
    const left = w / 2 - camera.x * scale, top = h / 2 + camera.y * scale;
    const { reach, offsets, covers } = stamp(radius, w, hard), length = offsets.length;
    for (let i = 0; i < xs.length; i++) {
      if (emphasis[i] !== which) continue;
      const x = (left + xs[i] * scale + 0.5) | 0, y = (top - ys[i] * scale + 0.5) | 0;
      if (x < reach || y < reach || x >= w - reach || y >= h - reach) continue;
      const color = colors[index[i]], at = y * w + x;
      if (hard) { for (let o = 0; o < length; o++) pixels[at + offsets[o]] = color; continue; }
      const redBlue = color & 0xff00ff, green = color & 0xff00;
      for (let o = 0; o < length; o++) {
        const p = at + offsets[o], under = pixels[p], cover = covers[o];
        const underRedBlue = under & 0xff00ff, underGreen = under & 0xff00;
        pixels[p] = 0xff000000
          | ((underRedBlue + (((redBlue - underRedBlue) * cover) >> 8)) & 0xff00ff)
          | ((underGreen + (((green - underGreen) * cover) >> 8)) & 0xff00);
      }
    }
  }
}

/** In CSS pixels: smaller where there are many points, larger the nearer one is. */
export function dotRadius(camera: Camera, count: number): number {
  const room = Math.sqrt((camera.width * camera.height) / Math.max(60, count));
  return Math.min(8, Math.max(0.9, Math.min(4, room * 0.24)) * Math.max(1, camera.zoom) ** 0.4);
}

/** The pixels of a disc: their offsets, and how much of each it covers. */
function stamp(radius: number, width: number, hard: boolean) {
  const reach = Math.ceil(radius + 0.5), offsets: number[] = [], covers: number[] = [];
  for (let dy = -reach; dy <= reach; dy++) for (let dx = -reach; dx <= reach; dx++) {
    const cover = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(dx, dy)));
    if (cover <= (hard ? 0.5 : 0.04)) continue;
    offsets.push(dy * width + dx); covers.push(Math.round(cover * 222));
  }
  return { reach, offsets: Int32Array.from(offsets), covers: Uint8Array.from(covers) };
}
