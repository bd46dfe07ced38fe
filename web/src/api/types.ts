// What the API answers; /api/openapi.json says the same.
export type Depth = "broad" | "shown" | "fine";
export interface Hit { id: string; row: number; score: number; cosine: number; confidence: number | null; title: string; snippet: string }
export interface AskedSense { word: string; hint: string; number: number | null; words: string[]; note: string }
export interface SearchAnswer {
  query: string; mode: string; relevant: boolean; hits: Hit[]; senses: AskedSense[]; took_ms: number; python: string;
}
export interface Listed { id: string; row: number; title: string; snippet: string; topic: number | null }
export interface DocumentsAnswer { total: number; offset: number; documents: Listed[]; python: string }
export interface DocumentAnswer {
  id: string; row: number; title: string; text: string; label: string | null; metadata: Record<string, unknown>;
  duplicate_ids: string[]; topic: number | null; topic_name: string | null; probability: number | null;
  margin: number | null; trust: number | null; python: string;
}
export interface Neighbour {
  id: string; row: number; cosine: number; title: string; snippet: string; shared_words: string[];
  sentences: { own: string; other: string; cosine: number } | null;
}
export interface NeighboursAnswer { id: string; neighbours: Neighbour[]; python: string }
export interface Topic {
  id: number; parent: number | null; depth: Depth; name: string; size: number; words: string[]; typical: string[];
  pinned: boolean; named_by: string;
}
export interface TopicsAnswer { documents: number; nowhere: number; topics: Topic[]; python: string }
export interface Share { value: string; selected: number; elsewhere: number }
export interface SelectionAnswer {
  documents: number; topics: { topic: number | null; name: string; documents: number; share: number; of_topic: number }[];
  words: Share[]; columns: Record<string, Share[]>; listed: Listed[]; python: string;
}
export interface PlaceAnswer {
  topic: number | null; nearest_topic: number | null; topic_name: string | null; probability: number | null;
  x: number | null; y: number | null; trust: number | null; neighbours: Hit[]; python: string;
}
export interface Landing {
  title: string; topic: number | null; topic_name: string | null; probability: number | null; x: number | null; y: number | null;
}
export interface LandingsAnswer { documents: number; landings: Landing[]; python: string }
export interface AddedAnswer { added: number; updated: number; unchanged: number; ignored_columns: string[]; documents: number }
export type Every = "year" | "month" | "day";
export interface Period { period: string; topic: number; name: string; documents: number; share: number }
export interface OverTimeAnswer { periods: Period[]; python: string }
export interface SpaceAnswer {
  name: string; documents: number; dim: number; version: number; writable: boolean; encoder: string; metadata: string[];
  labelled: boolean; calibrated: boolean; card: boolean; curves: boolean; dates: string[]; tolman: string;
  description: Record<string, any>;
}
export interface Sense { number: number; share: number; words: string[]; contexts: { id: string; text: string; start: number; end: number }[] }
export interface SensesAnswer { word: string; occurrences: number; senses: Sense[]; near: { word: string; cosine: number }[]; python: string }
export interface CurvesAnswer { losses: Record<string, [number, number][]>; quality: [number, number][]; summary: string }
export interface MapData {
  ids: string[]; columns: string[]; x: Float32Array; y: Float32Array; trust: Uint8Array;
  topics: Record<Depth, Int32Array> | null; quality: Record<string, number | null>; python: string;
}
export interface Coloring {
  name: string; groups: string[]; counts: number[]; rest: number | null; ends: [string, string]; index: Uint8Array;
}
