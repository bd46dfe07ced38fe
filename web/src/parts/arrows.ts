/** Arrow keys, Home and End step through the buttons of a list; Tab leaves it as ever. */
export function arrows(list: HTMLElement) {
  function pressed(event: KeyboardEvent) {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...list.querySelectorAll<HTMLElement>("button, summary")].filter((each) => each.offsetParent);
    const here = all.indexOf(document.activeElement as HTMLElement);
    if (here < 0) return;
    event.preventDefault();
    all[Math.min(all.length - 1, Math.max(0, here + step))].focus();
  }
  list.addEventListener("keydown", pressed);
  return { destroy: () => list.removeEventListener("keydown", pressed) };
}
