import { unpack } from "./binary";
import type * as T from "./types";

/** What the server refused, in its own words. */
export class Refused extends Error {
  constructor(message: string, readonly status: number) { super(message); }
}

async function ask(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init?.signal?.aborted) throw error;
    throw new Refused("The server doesn't answer. Is it still running?", 0);
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  throw new Refused(told?.error ?? `The server answered ${response.status}.`, response.status);
}

type Values = Record<string, string | number | boolean | null | undefined>;

/** A path with those of the values that are there. */
export function address(path: string, values: Values = {}): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return query ? `${path}?${query}` : path;
}

const json = async <A>(path: string, init?: RequestInit) => (await (await ask(path, init)).json()) as A;
const sent = <A>(path: string, body: unknown, method = "POST") =>
  json<A>(path, { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } });
const named = (id: string) => `/api/documents/${encodeURIComponent(id)}`;

export const api = {
  space: () => json<T.SpaceAnswer>("/api/space"),
  card: () => json<{ markdown: string }>("/api/space/card"),
  curves: () => json<T.CurvesAnswer>("/api/space/curves"),
  search: (values: Values, signal: AbortSignal) => json<T.SearchAnswer>(address("/api/search", values), { signal }),
  documents: (values: Values) => json<T.DocumentsAnswer>(address("/api/documents", values)),
  document: (id: string) => json<T.DocumentAnswer>(named(id)),
  neighbours: (id: string) => json<T.NeighboursAnswer>(`${named(id)}/neighbours?k=8&sentences=true`),
  topics: () => json<T.TopicsAnswer>("/api/topics"),
  changeTopic: (id: number, change: object) => sent<T.TopicsAnswer>(`/api/topics/${id}`, change, "PATCH"),
  mergeTopics: (topics: number[]) => sent<T.TopicsAnswer>("/api/topics/merge", { topics }),
  splitTopic: (id: number) => sent<T.TopicsAnswer>(`/api/topics/${id}/split`, {}),
  findTopicsAgain: () => sent<T.TopicsAnswer>("/api/topics/find-again", {}),
  overTime: (column: string, every: T.Every) => json<T.OverTimeAnswer>(address("/api/topics/over-time", { column, every })),
  selection: (rows: number[]) => sent<T.SelectionAnswer>("/api/selection", { rows }),
  project: (text: string) => sent<T.PlaceAnswer>("/api/project", { text }),
  senses: (word: string) => json<T.SensesAnswer>(`/api/senses/${encodeURIComponent(word)}`),
  add: (documents: object[]) => sent<T.AddedAnswer>("/api/add", { documents }),
  addFile: (file: File) => json<T.AddedAnswer>(address("/api/add/file", { name: file.name }), { method: "POST", body: file }),
  projectFile: (file: File) =>
    json<T.LandingsAnswer>(address("/api/project/file", { name: file.name }), { method: "POST", body: file }),
  async map(): Promise<T.MapData> {
    const { facts, arrays } = unpack(await (await ask("/api/map")).arrayBuffer());
    const topics = arrays.shown ? { broad: arrays.broad, shown: arrays.shown, fine: arrays.fine } : null;
    return { ...facts, x: arrays.x, y: arrays.y, trust: arrays.trust, topics };
  },
  async column(name: string): Promise<T.Coloring> {
    const path = `/api/map/columns/${encodeURIComponent(name)}`;
    const { facts, arrays } = unpack(await (await ask(path)).arrayBuffer());
    return { ...facts, index: arrays.index };
  },
  async scores(q: string): Promise<Float32Array> {
    return unpack(await (await ask(address("/api/scores", { q }))).arrayBuffer()).arrays.cosine;
  },
  async exported(path: string, body: unknown): Promise<Blob> {
    const init = { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    return (await ask(path, init)).blob();
  },
};
