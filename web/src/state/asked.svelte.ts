import { Refused } from "../api/client";

/** What a failure is called in the page; "": it was no failure, somebody asked for something else meanwhile. */
export function told(error: unknown): string {
  if (error instanceof Refused) return error.message;
  if (error instanceof DOMException && error.name === "AbortError") return "";
  throw error;
}

/** One answer that a view waits for. The newest question counts: what was asked before and comes late is dropped. */
export class Asked<A> {
  value = $state.raw<A | null>(null);
  failure = $state("");
  waiting = $state(false);
  private newest = 0;

  /** `keep`: the answer before is shown until this one is there. */
  async ask(work: () => Promise<A>, keep = false) {
    const mine = ++this.newest;
    if (!keep) this.value = null;
    this.failure = "";
    this.waiting = true;
    try {
      const found = await work();
      if (mine === this.newest) this.value = found;
    } catch (error) {
      const said = told(error);
      if (mine === this.newest) { this.failure = said; this.value = null; }
    } finally {
      if (mine === this.newest) this.waiting = false;
    }
  }
  forget() {
    this.newest++;
    this.value = null;
    this.failure = "";
    this.waiting = false;
  }
}
