import { api } from "../api/client";
import type { LandingsAnswer } from "../api/types";
import { told } from "./asked.svelte";
import { atlas } from "./atlas.svelte";

export const MOST_BYTES = 16 * 2 ** 20;  // the server takes no more at once

/** A file that somebody dropped: where its documents land, and whether they were added. */
export class Dropped {
  landed = $state.raw<LandingsAnswer | null>(null);
  failure = $state("");
  added = $state("");
  constructor(readonly file: File) {}

  async place() {
    if (this.file.size > MOST_BYTES) { this.failure = "This file is larger than 16 MiB: split it."; return; }
    try { this.landed = await api.projectFile(this.file); } catch (error) { this.failure = told(error); }
  }
  async add() {
    this.failure = "";
    try {
      const done = await api.addFile(this.file);
      const parts = [[done.added, "added"], [done.updated, "updated"], [done.unchanged, "there already"]] as const;
      this.added = parts.filter(([count]) => count).map(([count, what]) => `${count.toLocaleString("en")} ${what}`).join(", ");
      if (done.ignored_columns.length) this.added += `; columns that the space doesn't have: ${done.ignored_columns.join(", ")}`;
    } catch (error) { this.failure = told(error); }
  }
}

/** What was dropped on the page, wherever. */
class Drop {
  files = $state.raw<Dropped[]>([]);
  busy = $state(false);

  get documents() { return this.files.reduce((sum, each) => sum + (each.landed?.documents ?? 0), 0); }
  get addable() { return this.files.filter((each) => each.landed && !each.added); }

  async take(files: Iterable<File>) {
    this.files = [...files].map((file) => new Dropped(file));
    this.busy = true;
    for (const each of this.files) await each.place();
    this.busy = false;
    const points = this.files.flatMap((each) => each.landed?.landings ?? []);
    atlas.landed = points.flatMap(({ x, y }) => (x === null || y === null ? [] : [{ x, y }]));
    atlas.said = `${this.documents.toLocaleString("en")} documents placed`;
  }
  async add() {
    this.busy = true;
    for (const each of this.addable) await each.add();
    atlas.landed = [];
    await atlas.trying(() => atlas.grown("Added"));
    this.busy = false;
  }
  clear() { this.files = []; atlas.landed = []; }
}
export const drop = new Drop();
