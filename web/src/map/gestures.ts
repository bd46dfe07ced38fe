interface Acts {
  lassoing: () => boolean;
  pan: (dx: number, dy: number) => void;
  zoom: (factor: number, x: number, y: number) => void;
  tap: (x: number, y: number) => void;
  hover: (x: number, y: number) => void;
  draw: (corner: [number, number]) => void;
  drawn: () => void;
}

/** Mouse and fingers on the map: drag moves, wheel and two fingers zoom, Shift or the lasso tool draws round documents. */
export class Gestures {
  private fingers = new Map<number, [number, number]>();
  private dragged = 0;
  private drawing = false;
  private ending = new AbortController();

  constructor(private canvas: HTMLCanvasElement, private acts: Acts) {
    const options = { signal: this.ending.signal };
    canvas.addEventListener("pointerdown", (event) => this.down(event), options);
    canvas.addEventListener("pointermove", (event) => this.move(event), options);
    canvas.addEventListener("pointerup", (event) => this.up(event, true), options);
    canvas.addEventListener("pointercancel", (event) => this.up(event, false), options);
    canvas.addEventListener("pointerleave", () => acts.hover(-1, -1), options);
    canvas.addEventListener("dblclick", (event) => acts.zoom(2, event.offsetX, event.offsetY), options);
    canvas.addEventListener("wheel", (event) => this.wheel(event), { ...options, passive: false });
  }
  end() { this.ending.abort(); }

  private place(event: PointerEvent): [number, number] {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
  private down(event: PointerEvent) {
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    this.fingers.set(event.pointerId, this.place(event));
    this.dragged = this.fingers.size > 1 ? 99 : 0;
    this.drawing = this.fingers.size === 1 && (event.shiftKey || this.acts.lassoing());
    this.acts.hover(-1, -1);
  }
  private move(event: PointerEvent) {
    const before = this.fingers.get(event.pointerId), now = this.place(event);
    if (!before) { if (event.pointerType !== "touch") this.acts.hover(...now); return; }
    this.fingers.set(event.pointerId, now);
    this.dragged += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (this.drawing) { this.acts.draw(now); return; }
    if (this.dragged < 4) return;
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) { this.acts.pan(now[0] - before[0], now[1] - before[1]); return; }
    const apart = (from: [number, number]) => Math.max(20, Math.hypot(from[0] - other[0], from[1] - other[1]));
    this.acts.zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    this.acts.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  }
  private up(event: PointerEvent, whole: boolean) {
    if (!this.fingers.delete(event.pointerId) || this.fingers.size) return;
    if (this.drawing) { this.drawing = false; this.acts.drawn(); return; }
    if (whole && this.dragged < 4) this.acts.tap(...this.place(event));
  }
  private wheel(event: WheelEvent) {
    event.preventDefault();
    this.acts.hover(-1, -1);
    const turned = Math.max(-240, Math.min(240, event.deltaY * (event.deltaMode ? 30 : 1)));
    this.acts.zoom(Math.exp(-turned * 0.0022), event.offsetX, event.offsetY);
  }
}
