import type { Theme } from "../colour/palette";

const wanted = matchMedia("(prefers-color-scheme: dark)");
const kept = localStorage.getItem("theme");
export const theme = $state({ name: (kept ?? (wanted.matches ? "dark" : "light")) as Theme });

export function shine(name: Theme, keep = true) {
  theme.name = name;
  document.documentElement.dataset.theme = name;
  if (keep) localStorage.setItem("theme", name);
}
shine(theme.name, false);
wanted.addEventListener("change", () => localStorage.getItem("theme") ?? shine(wanted.matches ? "dark" : "light", false));
