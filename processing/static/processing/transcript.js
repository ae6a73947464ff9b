/**
 * The text of a transcript: going from mark to mark and from page to page, correcting in place.
 *
 * Without it the page has links for all of that. Whenever lines are replaced, the text's element
 * (#text) sends the event "transcript:lines", which bubbles: whoever knows words looks anew.
 */

import { editorOf } from "./segment_editor.js";

const NO_DOUBTS = new Set(["seam", "estimated", "corrected", "pending"]);
const RESULTS_MS = 3000;

const text = () => document.getElementById("text");
const lines = () => [...document.querySelectorAll("#text .lines > p[data-marks]")];
const status = document.getElementById("text-status");
const say = (message) => { status.textContent = message; };

/** Whether a line has a mark; "doubt" is any that is doubtful. */
function has(line, mark) {
  const marks = line.dataset.marks.split(" ").filter(Boolean);
  return mark === "doubt" ? marks.some((each) => !NO_DOUBTS.has(each)) : marks.includes(mark);
}

const current = () => document.querySelector("#text .current");

/** Make a line the one that keys are for; it is the only one that the tab key stops at. */
function choose(line, { focus = true } = {}) {
  for (const other of document.querySelectorAll("#text .lines > [tabindex='0']")) other.tabIndex = -1;
  current()?.classList.remove("current");
  line.classList.add("current");
  line.tabIndex = 0;
  if (focus) line.focus();
}

function told() {
  const first = document.querySelector("#text .segment");
  if (first && !current()) first.tabIndex = 0;
  filter();
  text().dispatchEvent(new CustomEvent("transcript:lines", { bubbles: true }));
}

/**
 * Show another page of the text; false when there is none as it was asked for. What comes
 * meanwhile, without anybody asking, leaves those alone who correct something.
 */
async function show(query, { isPushed = true, isMeanwhile = false } = {}) {
  const response = await fetch(`${text().dataset.address}?${query}`);
  if (response.status === 204) return false;
  if (!response.ok) throw new Error(`the text could not be read: ${response.status}`);
  const holder = document.createElement("template");
  holder.innerHTML = await response.text();
  if (isMeanwhile && document.querySelector("#text .editor")) return false;
  text().replaceWith(holder.content.querySelector("#text"));
  if (isPushed) history.pushState(null, "", `?at=${text().dataset.start}`);
  told();
  return true;
}

/** Go to the next line with a mark, on this page or on one after it. */
async function next(mark, { isBack = false } = {}) {
  const all = lines();
  const at = all.indexOf(current() ?? document.activeElement);
  const ahead = isBack ? all.slice(0, Math.max(at, 0)).reverse() : all.slice(at + 1);
  let found = ahead.find((line) => has(line, mark));
  if (!found) {
    const query = new URLSearchParams({ at: text().dataset.start, mark });
    if (isBack) query.set("back", "1");
    if (Number(text().dataset.pages) > 1 && (await show(query))) {
      const shown = isBack ? lines().reverse() : lines();
      found = shown.find((line) => has(line, mark));
    }
  }
  if (!found) return say(isBack ? "There is none before this." : "There is none after this.");
  found.hidden = false;
  choose(found);
  found.scrollIntoView({ block: "center" });
  say("");
}

const shown = document.getElementById("show-only");

function filter() {
  for (const line of lines()) line.hidden = Boolean(shown.value) && !has(line, shown.value);
  text().toggleAttribute("data-filtered", Boolean(shown.value));
}

const undo = document.getElementById("undo");

/** Open the editor in a segment, and put what was saved in its place. */
function correct(segment) {
  if (!text().dataset.segments || !segment?.matches(".segment") || segment.querySelector(".editor")) return;
  choose(segment, { focus: false });
  editorOf(segment, {
    address: text().dataset.segments.replace(/0\/$/, `${segment.dataset.index}/`),
    version: () => text().dataset.version,
    async saved(answer) {
      const isAlone = answer.version === Number(text().dataset.version) + 1;
      undo.hidden = false;
      undo.elements.number.value = answer.version - 1;
      undo.elements.version.value = answer.version;
      text().dataset.version = answer.version;
      document.getElementById("legend").outerHTML = answer.legend;
      say(`Saved as version ${answer.version}.`);
      if (answer.line === null || !isAlone) { // the other lines are not what they were
        await show(new URLSearchParams({ at: text().dataset.start }), { isPushed: false });
      } else {
        segment.outerHTML = answer.line;
        told();
      }
      const line = document.getElementById(segment.id);
      if (line) choose(line);
    },
    closed: () => segment.focus(),
  });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  const isPlain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.button);
  if (link?.dataset.mark && isPlain) {
    event.preventDefault();
    next(link.dataset.mark);
  } else if (link?.closest(".text-pages") && isPlain) {
    event.preventDefault();
    show(new URL(link.href).searchParams).then(() => text().scrollIntoView());
  } else if (event.target.closest("[data-do=next]")) {
    next("doubt");
  } else if (event.target.closest("[data-do=correct]")) {
    const segment = current() ?? document.querySelector("#text .segment");
    correct(segment);
  } else {
    const segment = event.target.closest("#text .segment");
    const isFirst = event.detail < 2; // of two clicks: the page may have moved since
    if (segment && isFirst && !event.target.closest(".editor")) choose(segment, { focus: false });
  }
});

document.addEventListener("dblclick", (event) => {
  if (!event.target.closest("#text .lines") || event.target.closest(".editor")) return;
  getSelection().removeAllRanges();
  correct(current());
});

// The player has come to what another page has.
document.addEventListener("player:elsewhere", ({ detail }) => {
  show(`at=${detail.seconds}`, { isPushed: false, isMeanwhile: true });
});

document.addEventListener("focusin", (event) => {
  if (event.target.matches("#text .segment") && event.target !== current()) choose(event.target, { focus: false });
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) return;
  const isInText = event.target.closest("#text .segment");
  if (event.key === "n" || event.key === "N") {
    event.preventDefault();
    next("doubt", { isBack: event.key === "N" });
  } else if (event.key === "e" || (event.key === "Enter" && isInText)) {
    event.preventDefault();
    correct(isInText ?? current());
  } else if (isInText && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    const all = [...document.querySelectorAll("#text .segment:not([hidden])")];
    const to = all[all.indexOf(isInText) + (event.key === "ArrowDown" ? 1 : -1)];
    if (to) {
      event.preventDefault();
      choose(to);
    }
  }
});

// what is played is not on this page of the text, and somebody follows it
document.addEventListener("player:elsewhere", (event) => {
  if (shown.value || text().querySelector(".editor")) return;
  show(new URLSearchParams({ at: event.detail.seconds }), { isPushed: false });
});

shown.addEventListener("change", filter);
addEventListener("popstate", () => show(new URLSearchParams(location.search), { isPushed: false }));
for (const part of document.querySelectorAll("span.with-script")) part.hidden = false;
told();
if (location.hash.startsWith("#segment-")) {
  const segment = document.getElementById(location.hash.slice(1));
  if (segment) choose(segment);
}

/** Show what is made of the transcript as it comes, while anything is being made. */
async function follow() {
  for (;;) {
    const results = document.getElementById("results");
    if (!results?.hasAttribute("data-is-being-made")) return;
    await new Promise((resolve) => setTimeout(resolve, RESULTS_MS));
    const response = await fetch(results.dataset.address).catch(() => null);
    if (response?.ok && !response.redirected) results.outerHTML = await response.text();
  }
}
follow();
