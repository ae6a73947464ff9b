/**
 * The player of a transcript's page: waveform, keyboard, and words that follow the sound.
 *
 * Words are `.word[data-start][data-end]` in `.segment[data-start][data-end]`, times in seconds;
 * where a segment has no words, it is followed itself. Works with any number of them: one
 * listener for all, a binary search for the current one, and no work while nothing plays.
 */
import { Timeline } from "./player_timeline.js";

const SKIP_SECONDS = 5;
const GROWS_EVERY_MS = 4_000;
const BUSY_ELEMENTS = "a, audio, button, input, select, summary, textarea, [contenteditable]";

/** `m:ss`, or `h:mm:ss` from an hour on, as the server writes it. */
export function clock(seconds) {
  const whole = Math.max(Math.floor(seconds), 0);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const padded = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${padded(minutes)}:${padded(rest)}` : `${minutes}:${padded(rest)}`;
}

/** The time that an address asks for as `#t=123.4`, in seconds; null for none. */
export function timeOf(hash) {
  const found = /^#t=(\d+(?:\.\d+)?)$/.exec(hash);
  return found ? Number(found[1]) : null;
}

class Player {
  constructor(root) {
    this.root = root;
    this.audio = root.querySelector("audio");
    this.waveform = root.querySelector(".player-waveform");
    this.follow = root.querySelector("[data-follow]");
    this.dock = root.querySelector(".player-dock");
    this.timeline = new Timeline();
    this.frame = 0;
    root.querySelector(".player-controls").hidden = false;
    root.querySelector(".player-keys").hidden = false;
    document.documentElement.classList.add("can-seek");
    this.makeSlider();
    this.listen();
    this.show();
    this.openAddress();
    if (root.dataset.waveform) this.growSoon();
  }

  get seconds() {
    const known = Number(this.root.dataset.seconds);
    return known || (Number.isFinite(this.audio.duration) ? this.audio.duration : 0);
  }

  listen() {
    const { audio, root } = this;
    for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, () => this.playing());
    for (const name of ["seeking", "timeupdate", "durationchange"]) {
      audio.addEventListener(name, () => this.show());
    }
    audio.addEventListener("ratechange", () => this.showSpeed());
    audio.addEventListener("error", () => this.say("The sound cannot be played here."));
    root.querySelector("[data-play]").addEventListener("click", () => this.toggle());
    root.querySelector("[data-copy]").addEventListener("click", () => this.copyLink());
    root.querySelector("[data-speed]").addEventListener("change", (event) => {
      audio.playbackRate = Number(event.target.value);
    });
    for (const button of root.querySelectorAll("[data-skip]")) {
      button.addEventListener("click", () => this.seek(audio.currentTime + Number(button.dataset.skip)));
    }
    this.follow.addEventListener("change", () => this.followed());
    document.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("keydown", (event) => this.pressed(event));
    for (const name of ["wheel", "touchmove"]) {
      document.addEventListener(name, (event) => this.scrolled(event), { passive: true });
    }
    window.addEventListener("hashchange", () => this.openAddress());
    document.addEventListener("transcript:lines", () => this.linesChanged());
    new ResizeObserver(() => {
      document.documentElement.style.setProperty("--player-height", `${this.dock.offsetHeight}px`);
    }).observe(this.dock);
  }

  // Playing

  toggle() {
    if (this.audio.paused) this.audio.play().catch(() => this.say("The sound cannot be played here."));
    else this.audio.pause();
  }

  seek(seconds) {
    const last = this.seconds || Infinity;
    this.hasMoved = true;
    this.audio.currentTime = Math.min(Math.max(seconds, 0), last);
    this.show();
  }

  playing() {
    this.hasMoved ||= !this.audio.paused;
    this.root.querySelector("[data-play]").textContent = this.audio.paused ? "Play" : "Pause";
    cancelAnimationFrame(this.frame);
    if (!this.audio.paused) this.frame = requestAnimationFrame(() => this.tick());
  }

  tick() {
    this.show();
    if (!this.audio.paused) this.frame = requestAnimationFrame(() => this.tick());
  }

  showSpeed() {
    const speed = this.root.querySelector("[data-speed]");
    if (String(this.audio.playbackRate) !== speed.value) speed.value = String(this.audio.playbackRate);
  }

  // What is shown

  show() {
    const now = this.audio.currentTime;
    const place = this.seconds ? Math.min(now / this.seconds, 1) * 1000 : 0;
    this.root.querySelector(".player-played").setAttribute("width", place.toFixed(2));
    this.root.querySelector(".player-cursor").setAttribute("d", `M${place.toFixed(2)} 0V100`);
    const text = clock(now);
    if (text !== this.shown) {
      this.shown = text;
      this.root.querySelector("[data-now]").textContent = text;
      this.waveform.setAttribute("aria-valuenow", now.toFixed(0));
      this.waveform.setAttribute("aria-valuemax", this.seconds.toFixed(0));
      this.waveform.setAttribute("aria-valuetext", `${text} of ${clock(this.seconds)}`);
      if (this.seconds) this.root.querySelector("[data-length]").textContent = clock(this.seconds);
    }
    const isAnother = this.timeline.mark(now);
    if (!this.hasMoved || !this.follow.checked) return;
    if (isAnother) this.reveal();
    else if (!this.timeline.current) this.turnPage(now);
  }

  /** Have the page of the text shown that has a time, where the text has several. */
  turnPage(seconds) {
    const page = this.timeline.pageAt(seconds);
    if (page === null || page === this.asked) return;
    this.asked = page;
    document.dispatchEvent(new CustomEvent("player:elsewhere", { detail: { seconds } }));
  }

  linesChanged() {
    this.asked = null;
    this.timeline.isStale = true;
    this.show();
  }

  /** Bring what is heard into view, if it is not. */
  reveal() {
    const element = this.timeline.current;
    if (!element) return;
    const { top, bottom } = element.getBoundingClientRect();
    const stuck = (document.getElementById("text-tools") ?? this.dock).getBoundingClientRect().bottom;
    if (top > Math.max(stuck, 0) + 8 && bottom < window.innerHeight - 24) return;
    const isCalm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollIntoView({ block: "center", behavior: isCalm ? "auto" : "smooth" });
  }

  followed() {
    this.say("");
    this.show();
    if (this.follow.checked) this.reveal();
  }

  say(text) {
    this.root.querySelector(".player-note").textContent = text;
  }

  // The waveform

  makeSlider() {
    const { waveform } = this;
    for (const [name, value] of Object.entries({
      role: "slider", tabindex: "0", "aria-label": "Position", "aria-valuemin": "0",
    })) waveform.setAttribute(name, value);
    const pointed = this.root.querySelector(".player-pointed");
    const timeAt = (event) => {
      const { left, width } = waveform.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - left) / width, 0), 1) * this.seconds;
    };
    let isDragged = false;
    waveform.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      isDragged = true;
      waveform.setPointerCapture(event.pointerId);
      this.seek(timeAt(event));
    });
    waveform.addEventListener("pointermove", (event) => {
      pointed.hidden = !this.seconds;
      pointed.textContent = clock(timeAt(event));
      pointed.style.left = `${event.clientX - waveform.getBoundingClientRect().left}px`;
      if (isDragged) this.seek(timeAt(event));
    });
    for (const name of ["pointerup", "pointercancel"]) {
      waveform.addEventListener(name, () => { isDragged = false; });
    }
    waveform.addEventListener("pointerleave", () => { pointed.hidden = true; });
    waveform.addEventListener("keydown", (event) => {
      const minute = Math.max(60, this.seconds / 20);
      const to = {
        ArrowUp: this.audio.currentTime + SKIP_SECONDS, ArrowDown: this.audio.currentTime - SKIP_SECONDS,
        PageUp: this.audio.currentTime + minute, PageDown: this.audio.currentTime - minute,
        Home: 0, End: this.seconds,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.seek(to);
    });
  }

  growSoon() {
    setTimeout(() => this.grow(), GROWS_EVERY_MS);
  }

  async grow() {
    if (document.hidden) return this.growSoon();
    try {
      const response = await fetch(this.root.dataset.waveform, { headers: { Accept: "application/json" } });
      if (!response.ok) return;
      const { path, seconds, is_over: isOver } = await response.json();
      for (const shape of this.root.querySelectorAll(".player-shape")) shape.setAttribute("d", path);
      if (seconds) this.root.dataset.seconds = String(seconds);
      this.show();
      if (isOver) return;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the network was away
    }
    this.growSoon();
  }

  // Words, keys and addresses

  clicked(event) {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const busy = event.target.closest(BUSY_ELEMENTS);
    const link = event.target.closest('a[href^="#t="]');
    if (link) return; // the address changes, and that seeks
    if (busy || !window.getSelection().isCollapsed) return;
    const start = this.timeline.startOf(event.target);
    if (start !== null) this.seek(start);
  }

  pressed(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const isOnSlider = event.target === this.waveform;
    if (!isOnSlider && event.target.closest?.(BUSY_ELEMENTS)) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === " ") this.toggle();
    else if (step && event.shiftKey) this.seek(this.timeline.segmentBeside(this.audio.currentTime, step));
    else if (step) this.seek(this.audio.currentTime + step * SKIP_SECONDS);
    else return;
    event.preventDefault();
  }

  /** Who scrolls wants to look elsewhere. */
  scrolled(event) {
    if (this.audio.paused || !this.follow.checked || event.target.closest?.(".player")) return;
    this.follow.checked = false;
    this.say("You scrolled: the page stays where it is.");
  }

  openAddress() {
    const seconds = timeOf(window.location.hash);
    if (seconds === null) return;
    this.follow.checked = true;
    this.seek(seconds);
  }

  async copyLink() {
    const address = new URL(window.location.href);
    address.hash = `t=${this.audio.currentTime.toFixed(1)}`;
    window.history.replaceState(null, "", address);
    try {
      await navigator.clipboard.writeText(address.href);
      this.say("Copied.");
    } catch {
      this.say("The address of this page has the time now."); // no right to the clipboard
    }
  }
}

for (const root of document.querySelectorAll(".player")) new Player(root);
