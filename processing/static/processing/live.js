/**
 * Shows how far things are without loading pages anew.
 *
 * `[data-live-row][data-id]` in lists and pages is a row: its bar, words and badge move by a light
 * poll of the address, one for all rows that have it. `#live` is a page of something that goes on:
 * that of a run listens to its events, the others poll. At the end the page is loaded once.
 */

const POLL_MS = 3000;
const LISTEN_AGAIN_MS = 30000;
const TIMELINE_MS = 5000;
/** What took long to make is asked for so many times as long after that, at the earliest. */
const TIMELINE_FACTOR = 10;
const STORM_MS = 15000;

/** @typedef {{status: string, share: number, text: string, is_over: boolean}} State */

/** Answers what an address has, or null when it has nothing for us now. */
async function asked(address, as = 'json') {
  try {
    const response = await fetch(address, { headers: { Accept: 'application/json, text/html' } });
    return response.ok && !response.redirected ? await response[as]() : null;
  } catch {
    return null;
  }
}

const clock = (seconds) => {
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (number) => String(number).padStart(2, '0');
  return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
};

/** Shows a state in an element, and in the badge beside it. */
function show(element, { status, share, text }) {
  const bar = element.querySelector('progress');
  if (bar) {
    bar.value = share;
    if (text && bar.nextSibling) bar.nextSibling.textContent = ` ${text}`;
  }
  const near = element.closest('tr') ?? document;
  const badge =
    element.querySelector('.badge') ??
    near.querySelector('.field-badge .badge, .field-state .badge, #transcript-status .badge');
  if (badge && badge.textContent !== status) {
    badge.className = `badge badge-${status.toLowerCase()}`;
    badge.textContent = status;
  }
}

/** Rows of lists: asks for all of one address at once, while anybody looks. */
class Rows {
  constructor(elements) {
    this.elements = new Set(elements);
    setInterval(() => this.look(), POLL_MS);
  }

  async look() {
    if (document.hidden || this.isLooking) return;
    this.isLooking = true;
    const seen = [...this.elements].filter((element) => element.checkVisibility());
    for (const address of new Set(seen.map((element) => element.dataset.liveRow))) {
      const rows = seen.filter((element) => element.dataset.liveRow === address);
      const ids = [...new Set(rows.map((element) => element.dataset.id))];
      const states = await asked(`${address}?${ids.map((id) => `id=${id}`).join('&')}`);
      for (const element of states ? rows : []) {
        const state = states[element.dataset.id];
        if (state) show(element, state);
        if (!state || state.is_over) this.elements.delete(element);
      }
    }
    this.isLooking = false;
  }
}

/** The text of a run, to which what is heard is added; of pages of it, only to the one shown. */
class Text {
  constructor(container) {
    this.lines = container.querySelector('.lines') ?? container;
    this.from = Number(container.dataset.start || 0);
    this.until = Number(container.dataset.end || Infinity);
    this.isFresh = false;
  }

  /** Forgets what the page came with: all of it is told. */
  clear() {
    this.lines.replaceChildren();
    this.isFresh = true;
    this.index = 0;
  }

  add({ segments, gaps }) {
    if (!this.isFresh) this.clear();
    for (const gap of gaps) {
      this.put('gap', gap, element('span', '', `nothing heard: ${gap.reason}`));
    }
    for (const segment of segments) {
      this.put('segment', segment, said(segment), this.index);
      this.index += 1;
    }
  }

  put(kind, { start, end, speaker }, content, index) {
    if (start < this.from || start >= this.until) return;
    const line = element('p', kind);
    Object.assign(line.dataset, { start, end });
    if (index !== undefined) {
      line.dataset.index = index;
      line.id = `segment-${index}`;
    }
    line.append(element('time', '', clock(start)));
    if (speaker) line.append(element('b', 'speaker', speaker));
    line.append(content);
    let before = this.lines.lastElementChild;
    while (before && Number(before.dataset.start) > start) before = before.previousElementSibling;
    if (before) before.after(line);
    else this.lines.prepend(line);
  }
}

function element(name, kind, text) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Returns what a segment says, each word where it is in its text. */
function said({ text, words }) {
  const whole = element('span', 'said');
  whole.dir = 'auto';
  let at = 0;
  for (const word of words ?? []) {
    const found = text.indexOf(word.word, at);
    if (found < 0) continue;
    const part = element('span', 'word', word.word);
    Object.assign(part.dataset, { start: word.start, end: word.end });
    whole.append(text.slice(at, found), part);
    at = found + word.word.length;
  }
  whole.append(text.slice(at));
  return whole;
}

/** The picture of the run, fetched again now and then while something changes. */
class Timeline {
  constructor(address) {
    this.address = address;
    this.due = false;
    setTimeout(() => this.look(), TIMELINE_MS);
  }

  async look() {
    const began = Date.now();
    await this.renew();
    setTimeout(() => this.look(), Math.max(TIMELINE_MS, (Date.now() - began) * TIMELINE_FACTOR));
  }

  async renew() {
    const old = document.getElementById('timeline');
    if (!this.due || !old || document.hidden || old.contains(document.activeElement)) return;
    this.due = false;
    const html = await asked(`${this.address}${location.search}`, 'text');
    const fresh = html && new DOMParser().parseFromString(html, 'text/html').getElementById('timeline');
    if (!fresh) return;
    for (const part of old.querySelectorAll('details')) {
      const same = fresh.querySelector(`#${part.id}`);
      if (same) same.open = part.open;
    }
    const places = [...old.querySelectorAll('.run-scroll')].map((part) => part.scrollLeft);
    old.replaceWith(fresh);
    fresh.querySelectorAll('.run-scroll').forEach((part, n) => { part.scrollLeft = places[n] ?? 0; });
  }
}

/** A page of something that goes on, until that ends. */
class Page {
  constructor(status) {
    this.status = status;
    this.rows = [...document.querySelectorAll('[data-live-row]')];
    const text = document.querySelector('.transcript[data-live]');
    this.text = text && new Text(text);
    const { events, timeline } = status.dataset;
    this.events = events;
    this.timeline = timeline && new Timeline(timeline);
    this.quarter = null;
    setInterval(() => this.poll(), POLL_MS);
    document.addEventListener('visibilitychange', () => this.listen());
    addEventListener('pagehide', () => this.leave());
    addEventListener('pageshow', ({ persisted }) => persisted && this.listen());
    this.listen();
  }

  get isListening() {
    return Boolean(this.source) && this.source.readyState !== EventSource.CLOSED;
  }

  /** Listens while somebody looks: a browser has few connections, and a server few places. */
  listen() {
    if (document.hidden) return this.leave();
    if (!this.events || this.isListening || this.isOver) return;
    const source = (this.source = new EventSource(this.events));
    const on = (name, heard) => {
      source.addEventListener(name, ({ data }) => heard(JSON.parse(data)));
    };
    if (this.text) this.text.isFresh = false;
    on('progress', (told) => this.move(stateOf(told)));
    on('segments', (told) => this.text?.add(told));
    on('restart', () => this.text?.clear());
    on('done', () => this.end());
    on('failed', () => this.end());
    source.addEventListener('error', () => {
      if (!this.isListening) setTimeout(() => this.listen(), LISTEN_AGAIN_MS);
    });
  }

  leave() {
    this.source?.close();
    this.source = null;
  }

  /** Asks, where no events can be had. */
  async poll() {
    if (document.hidden || this.isListening || this.isOver) return;
    const { progress, id } = this.status.dataset;
    const states = await asked(`${progress}?id=${id}`);
    if (!states) return;
    const state = states[id];
    if (state) this.move(state);
    if (!state || state.is_over) this.end();
  }

  move(state) {
    for (const row of this.rows) show(row, state);
    if (this.timeline) this.timeline.due = true;
    const quarter = Math.floor(state.share * 4);
    if (this.quarter !== null && quarter > this.quarter && quarter < 4) {
      this.status.textContent = `${quarter * 25} % done`;
    }
    this.quarter = quarter;
  }

  /** Loads the page once; asks first where that would disturb, or would happen again and again. */
  end() {
    if (this.isOver) return;
    this.isOver = true;
    this.leave();
    const key = `live:${location.pathname}`;
    const isStorm = Date.now() - Number(sessionStorage.getItem(key) ?? 0) < STORM_MS;
    if (!isStorm && !isInUse()) {
      sessionStorage.setItem(key, String(Date.now()));
      location.reload();
      return;
    }
    const button = element('button', 'small', 'Show how it ended');
    button.type = 'button';
    button.addEventListener('click', () => location.reload());
    this.status.replaceChildren('It has ended. ', button);
  }
}

/** Whether somebody hears, writes or selects something. */
function isInUse() {
  const { activeElement } = document;
  return (
    [...document.querySelectorAll('audio')].some((audio) => !audio.paused) ||
    Boolean(activeElement?.matches('input, textarea, select, [contenteditable]')) ||
    !getSelection().isCollapsed
  );
}

function stateOf({ status, done_seconds, total_seconds, progress_text }) {
  const share = total_seconds ? Math.min(done_seconds / total_seconds, 1) : 0;
  return { status, share, text: progress_text, is_over: false };
}

const status = document.getElementById('live');
if (status) new Page(status);
else {
  const rows = document.querySelectorAll('[data-live-row]');
  if (rows.length) new Rows(rows);
}
