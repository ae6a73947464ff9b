/**
 * Keeps the Board current: fetches its sections, puts in place those that are another, and says
 * how old what is shown is. It asks again in a while after each answer, so never twice at once.
 */

const EVERY_MS = 3_000;
const HIDDEN_MS = 30_000;
/** A server that is slow is asked less often: so many times what it took. */
const SLOW_FACTOR = 10;
const TIMEOUT_MS = 20_000;
/** What is older is stale, whatever the reason. */
const STALE_MS = 12_000;

const board = document.getElementById("board");
const age = document.getElementById("board-age");
const stale = document.getElementById("board-stale");

let updatedAt = Date.now();
let problem = "";
let timer = 0;
let isAsking = false;

class LoggedOut extends Error {}

/** @returns {Promise<Document>} what the server shows now; throws where it shows nothing */
async function fetched() {
  const response = await fetch(board.dataset.address, {
    cache: "no-store",
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.type === "opaqueredirect" || response.status === 403) throw new LoggedOut();
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/** Put the sections in place that differ from those shown; keeps focus and scrolling. */
function show(news) {
  const sections = [...news.querySelectorAll(".board-section")];
  const focused = document.activeElement?.closest("#board") ? document.activeElement.id : "";
  const names = (all) => all.map((each) => each.id).join();
  if (names(sections) !== names([...board.children])) {
    board.replaceChildren(...sections);
  } else {
    sections.forEach((section, index) => replace(board.children[index], section));
  }
  const again = focused && document.getElementById(focused);
  if (again && again !== document.activeElement) again.focus({ preventScroll: true });
}

function replace(shown, section) {
  if (shown.innerHTML === section.innerHTML) return;
  const scrolled = [...shown.querySelectorAll(".board-scroll")].map((each) => each.scrollLeft);
  shown.replaceChildren(...section.childNodes);
  shown.querySelectorAll(".board-scroll").forEach((each, index) => {
    each.scrollLeft = scrolled[index] ?? 0;
  });
}

async function update() {
  if (isAsking) return;
  isAsking = true;
  const began = performance.now();
  try {
    show(await fetched());
    updatedAt = Date.now();
    problem = "";
  } catch (error) {
    problem = said(error);
  }
  isAsking = false;
  tell();
  const pause = document.hidden ? HIDDEN_MS : EVERY_MS;
  clearTimeout(timer);
  timer = setTimeout(update, Math.max(pause, SLOW_FACTOR * (performance.now() - began)));
}

function said(error) {
  if (error instanceof LoggedOut) return "you are logged out.";
  const isSilent = error instanceof TypeError || error.name === "TimeoutError";
  return isSilent ? "the server does not answer." : `${error.message}.`;
}

/** Say how old the sections are, and warn while they are stale. */
function tell() {
  const seconds = Math.max(0, Math.round((Date.now() - updatedAt) / 1_000));
  age.textContent = `Updated ${seconds} s ago`;
  const limit = document.hidden ? HIDDEN_MS + STALE_MS : STALE_MS;
  const isStale = problem !== "" || Date.now() - updatedAt > Math.max(limit, STALE_MS);
  document.body.classList.toggle("is-stale", isStale);
  age.hidden = isStale;
  if (!isStale) {
    stale.hidden = true;
    return;
  }
  const time = new Date(updatedAt).toLocaleTimeString([], { hourCycle: "h23" });
  const text = `Stale since ${time}: ${problem || "the server does not answer."}`;
  if (stale.hidden || !stale.textContent.startsWith(text)) {
    stale.textContent = text;
    if (problem === "you are logged out.") stale.append(" ", loginLink());
    stale.hidden = false;
  }
}

function loginLink() {
  const link = document.createElement("a");
  link.href = stale.dataset.login;
  link.textContent = "Log in again";
  return link;
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) update();
});
setInterval(tell, 1_000);
timer = setTimeout(update, EVERY_MS);
tell();
