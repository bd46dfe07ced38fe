// Colours of equal lightness to the eye (Björn Ottosson 2020), packed as ImageData has them: alpha, blue, green, red.
export function oklch(lightness: number, chroma: number, hue: number): number {
  const a = chroma * Math.cos((hue * Math.PI) / 180), b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const red = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
  const green = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
  const blue = -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s;
  return packed(part(red), part(green), part(blue));
}

const part = (value: number) => {
  const bounded = Math.min(1, Math.max(0, value));
  return Math.round(255 * (bounded <= 0.0031308 ? 12.92 * bounded : 1.055 * bounded ** (1 / 2.4) - 0.055));
};
export const packed = (red: number, green: number, blue: number) =>
  ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
export const css = (color: number) => `rgb(${color & 255} ${(color >> 8) & 255} ${(color >> 16) & 255})`;

/** Between two colours. */
export function mixed(one: number, other: number, share: number): number {
  const at = (shift: number) => Math.round(((one >>> shift) & 255) * (1 - share) + ((other >>> shift) & 255) * share);
  return packed(at(0), at(8), at(16));
}
