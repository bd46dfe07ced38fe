import { api } from "../api/client";
import type { Coloring, MapData, SelectionAnswer, SpaceAnswer, Topic, TopicsAnswer } from "../api/types";
import { inside } from "../map/nearest";
import { Asked, told } from "./asked.svelte";
import { polygonOf, route } from "./route.svelte";
import { search } from "./search.svelte";

/** What the page knows. Arrays over all documents are never proxied: they are replaced as a whole. */
class Atlas {
  space = $state.raw<SpaceAnswer | null>(null);
  map = $state.raw<MapData | null>(null);
  topics = $state.raw<Topic[]>([]);
  topicsLine = $state.raw("");
  nowhere = $state(0);
  coloring = $state.raw<Coloring | null>(null);
  scores = $state.raw<Float32Array | null>(null);
  rows = $state.raw<number[] | null>(null);
  selection = new Asked<SelectionAnswer>();
  landed = $state.raw<{ x: number; y: number }[]>([]);
  failure = $state("");
  mapFailure = $state("");
  said = $state("");
  making = $state("");
  rowOf = new Map<string, number>();

  topic(id: number | null): Topic | undefined { return this.topics.find((topic) => topic.id === id); }
  get shown() { return this.topics.filter((topic) => topic.depth === "shown"); }

  async open() {
    await this.trying(async () => {
      this.space = await api.space();
      document.title = `${this.space.name} · Tolman`;
    });
    if (this.space) await this.readMap();
  }

  /** A space without a map (of few documents) still has its views: what is missing is told where the map would be. */
  async readMap() {
    this.making = "Laying out the map";
    this.mapFailure = "";
    try {
      const map = await api.map();
      this.rowOf = new Map(map.ids.map((id, row) => [id, row]));
      this.map = map;
      if (map.topics) this.learn(await api.topics());
    } catch (error) {
      this.mapFailure = told(error);
    } finally {
      this.making = "";
    }
  }

  learn(found: TopicsAnswer) {
    this.topics = found.topics;
    this.topicsLine = found.python;
    this.nowhere = found.nowhere;
  }

  /** After topics were changed: their names and, on the map, who is in them. */
  async changed(found: TopicsAnswer, said: string) {
    this.learn(found);
    this.said = said;
    this.map = await api.map();
  }

  /** After documents came. */
  async grown(said: string) {
    this.said = said;
    search.forget();
    this.space = await api.space();
    await this.readMap();
  }

  select(polygon: string) {
    const corners = polygonOf(polygon);
    const rows = (this.rows = this.map && corners.length > 2 ? inside(this.map.x, this.map.y, corners) : null);
    if (!rows?.length) { this.selection.forget(); return; }
    this.said = `${rows.length.toLocaleString("en")} documents selected`;
    void this.selection.ask(() => api.selection(rows));
  }

  async color(by: string) {
    await this.trying(async () => {
      if (by === "score") this.scores = route.q.trim() ? await api.scores(route.q) : null;
      else if (by !== "topic" && by !== "trust" && this.coloring?.name !== by) this.coloring = await api.column(by);
    });
  }

  /** Something that somebody asked for; a failure is told above the view until the next attempt. */
  async trying(work: () => Promise<void>) {
    try {
      this.failure = "";
      await work();
    } catch (error) {
      this.failure = told(error);
    }
  }
}

export const atlas = new Atlas();
