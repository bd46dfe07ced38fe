// What is looked at, as the address says it: every view can be shared, and the back button works.
export type View = "search" | "topics" | "place" | "words" | "about";
export interface Route {
  view: View; q: string; mode: string; where: string; doc: string; topic: number | null; by: string; lasso: string;
  word: string; at: string; time: string; every: string;
}
const NONE: Route = {
  view: "search", q: "", mode: "hybrid", where: "", doc: "", topic: null, by: "topic", lasso: "", word: "", at: "", time: "", every: "month",
};

function read(): Route {
  const given = new URLSearchParams(location.search), found: Record<string, unknown> = { ...NONE };
  for (const name of Object.keys(NONE)) {
    const value = given.get(name);
    if (value === null) continue;
    found[name] = name === "topic" ? (/^\d+$/.test(value) ? Number(value) : null) : value;
  }
  if (!["search", "topics", "place", "words", "about"].includes(found.view as string)) found.view = "search";
  return found as unknown as Route;
}

function written(route: Route): string {
  const given = Object.entries(route).filter(([name, value]) => value !== NONE[name as keyof Route] && value !== null);
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return query ? `/?${query}` : "/";
}

export const route: Route = $state(read());

/** Look at something else. Steps that nobody wants back (typing, moving) replace the one before. */
export function go(change: Partial<Route>, replace = false) {
  Object.assign(route, change);
  const to = written(route);
  if (to === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
}
window.addEventListener("popstate", () => Object.assign(route, read()));

export const linkTo = (change: Partial<Route>) => written({ ...route, ...change });
export const polygonOf = (text: string): [number, number][] =>
  text.split("_").map((pair) => pair.split("~").map(Number) as [number, number])
    .filter((pair) => pair.length === 2 && pair.every(Number.isFinite));
export const textOf = (polygon: [number, number][]) =>
  polygon.map(([x, y]) => `${x.toFixed(2)}~${y.toFixed(2)}`).join("_");
