import { api } from "../api/client";
import type { SearchAnswer } from "../api/types";
import { Asked } from "./asked.svelte";

export interface Question { q: string; mode: string; where: string; topic: number | null; k: number }

/** The search of the page. Its answer stays while somebody reads a document, and is there at once when they come back. */
class Search {
  answer = new Asked<SearchAnswer>();
  private asked = "";
  private asking: AbortController | null = null;

  /** `say`: what became of it, for those who listen. */
  ask(question: Question, say: (said: string) => void) {
    const key = JSON.stringify(question);
    if (key === this.asked && !this.answer.failure) return;
    this.forget(key);
    if (!question.q) { this.answer.forget(); return; }
    const mine = (this.asking = new AbortController());
    void this.answer.ask(async () => {
      const found = await api.search({ ...question }, mine.signal);
      say(found.relevant ? `${found.hits.length} documents found` : "Nothing relevant found");
      return found;
    }, true);
  }
  /** Ask anew next time: the documents are others now. */
  forget(asked = "") {
    this.asking?.abort();
    this.asked = asked;
  }
}
export const search = new Search();
