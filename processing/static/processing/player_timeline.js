/** Which word, or segment without words, is heard at a time. */

const SEGMENTS = ".segment[data-start]";
const WORDS = ".word[data-start]";

/**
 * The words that are on the page, in the order of time.
 *
 * Where the text has several pages, `#text` is the one from `data-start` to `data-end`. Whoever
 * replaces lines makes it stale; so it does itself where they come and go in a live text.
 */
export class Timeline {
  constructor() {
    this.current = null;
    this.isStale = true;
    this.changes = new MutationObserver(() => { this.isStale = true; });
  }

  /** Mark what is heard at a time; return whether that is another than before. */
  mark(seconds) {
    this.read();
    const found = this.at(seconds);
    if (found === this.current) return false;
    for (const each of [this.current, this.current?.closest(SEGMENTS)]) each?.classList.remove("playing");
    for (const each of [found, found?.closest(SEGMENTS)]) each?.classList.add("playing");
    this.current = found;
    return found !== null;
  }

  /** The element that is heard at a time, null in between. */
  at(seconds) {
    const index = lastUpTo(this.starts, seconds);
    if (index < 0) return null;
    const end = Number(this.elements[index].dataset.end);
    return seconds < end ? this.elements[index] : null;
  }

  /** When what somebody clicked on begins; null where that is neither a word nor a time. */
  startOf(target) {
    const found = target.closest(WORDS) ?? target.closest("time")?.closest(SEGMENTS);
    return found ? Number(found.dataset.start) : null;
  }

  /** When the segment before (-1) or after (1) the one at a time begins. */
  segmentBeside(seconds, step) {
    this.read();
    const here = lastUpTo(this.segments, seconds);
    const isJustBegun = here >= 0 && seconds - this.segments[here] < 1.5;
    const wanted = step > 0 ? here + 1 : here - (isJustBegun ? 1 : 0);
    return this.segments[Math.min(Math.max(wanted, 0), this.segments.length - 1)] ?? seconds;
  }

  /** The page that has a time, by when it begins or ends; null when it is the one that is shown. */
  pageAt(seconds) {
    const text = document.getElementById("text");
    if (!text || !(Number(text.dataset.pages) > 1)) return null;
    if (seconds < Number(text.dataset.start)) return `before ${text.dataset.start}`;
    if (text.dataset.end && seconds >= Number(text.dataset.end)) return `after ${text.dataset.end}`;
    return null;
  }

  read() {
    if (!this.isStale) return;
    this.isStale = false;
    this.changes.disconnect();
    for (const text of document.querySelectorAll(".transcript")) {
      this.changes.observe(text, { childList: true, subtree: true });
    }
    const segments = [...document.querySelectorAll(SEGMENTS)];
    const wordless = segments.filter((segment) => !segment.querySelector(WORDS));
    const elements = [...document.querySelectorAll(WORDS), ...wordless];
    const pairs = elements.map((element) => [Number(element.getAttribute("data-start")), element]);
    pairs.sort((one, other) => one[0] - other[0]); // channels talk at the same time
    this.starts = Float64Array.from(pairs, ([start]) => start);
    this.elements = pairs.map(([, element]) => element);
    this.segments = Float64Array.from(segments, (segment) => Number(segment.dataset.start)).sort();
  }
}

/** The index of the last of ascending numbers that is no more than one; -1 for none. */
export function lastUpTo(numbers, limit) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
