import { oklch } from "./oklch";

export type Theme = "light" | "dark";
export const GROUND: Record<Theme, number> = { light: oklch(0.988, 0.003, 265), dark: oklch(0.185, 0.012, 265) };
export const FAINT: Record<Theme, number> = { light: oklch(0.82, 0.01, 265), dark: oklch(0.36, 0.015, 265) };
export const SHADES = 32;

/** As many colours as groups, neighbours in the list far apart in hue; the third round of hues is paler. */
export function groups(count: number, theme: Theme): Uint32Array {
  const light = theme === "light" ? [0.6, 0.7, 0.5] : [0.74, 0.66, 0.84];
  return Uint32Array.from({ length: count }, (_, i) =>
    oklch(light[Math.floor(i / 7) % 3], i % 7 === 3 ? 0.11 : 0.145, 262 + i * 137.508));
}

/** From what is little to what is much, ever farther from the ground. */
export function ramp(theme: Theme): Uint32Array {
  return Uint32Array.from({ length: SHADES }, (_, i) => {
    const share = i / (SHADES - 1);
    return theme === "light"
      ? oklch(0.86 - 0.46 * share, 0.02 + 0.17 * share, 250 + 30 * share)
      : oklch(0.32 + 0.56 * share, 0.02 + 0.15 * share, 270 - 60 * share);
  });
}
