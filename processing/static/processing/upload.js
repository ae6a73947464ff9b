/** The page that files are uploaded on: several at once, each with its progress. */

import { Form, Pieces, Refusal } from "./sending.js";

/** How many files are sent at the same time. */
const AT_ONCE = 2;

/** Speed is measured over so long, and shown so often. */
const SPEED_MS = 3000;
const SHOWN_MS = 250;

/** `limit`, and for files in pieces `pieces` and `result`: see `UploadingAdmin.sending`. */
const sending = JSON.parse(document.getElementById("sending").textContent);
const form = document.querySelector("form:has(#upload)");
const chosen = form.querySelector("input[type=file]");
const button = document.getElementById("upload");
const section = document.getElementById("uploads");
const list = section.querySelector("ol");
const template = section.querySelector("template");
const announcement = section.querySelector("[role=status]");

const uploads = [];

/** Return a size for people, as the server writes it: `12.3 MB`. */
function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
  return `${(bytes / 1024 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

/** Return a span for people: `40 s`, `3 min`, `2 h 5 min`. */
function span(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** One file of the list: waiting, sending, stored, refused or cancelled. */
class Upload {
  status = "chosen";
  sent = 0;
  #marks = []; // [time, bytes] of the last few seconds
  #shownAt = 0;

  constructor(file) {
    this.file = file;
    this.row = template.content.firstElementChild.cloneNode(true);
    this.bar = this.row.querySelector("progress");
    this.bar.setAttribute("aria-label", file.name);
    this.row.querySelector(".name").textContent = file.name;
    this.row.querySelector(".size").textContent = size(file.size);
    this.cancel = this.row.querySelector(".cancel");
    this.cancel.addEventListener("click", () => this.#cancel());
    this.retry = this.row.querySelector(".retry");
    this.retry.addEventListener("click", () => this.ask());
    for (const each of [this.cancel, this.retry]) {
      each.setAttribute("aria-label", `${each.textContent}: ${file.name}`);
    }
    list.append(this.row);
    if (file.size > sending.limit) {
      this.#become("refused", `${size(file.size)} is more than the limit of ${size(sending.limit)}.`);
      this.retry.hidden = true;
    } else this.#become("chosen", "");
  }

  get isActive() {
    return this.status === "waiting" || this.status === "sending";
  }

  /** Wait for a turn to be sent, with what the form says now. */
  ask() {
    this.transport ??= transportOf(this.file);
    this.#become("waiting", "Waiting");
    sendNext();
  }

  async send() {
    this.#become("sending", "");
    this.abort = new AbortController();
    this.#marks = [];
    try {
      const result = await this.transport.send({
        signal: this.abort.signal,
        onSent: (bytes) => this.#progress(bytes),
        onWait: (why) => this.#say(`${capitalised(why)}; it is tried again`),
      });
      this.#stored(result);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Refusal)) throw error;
      this.#become("refused", sentence(error.message));
      if (!error.passing) this.transport = undefined; // what the form says may be changed
    } finally {
      sendNext();
    }
  }

  #stored({ transcript, address, message }) {
    const result = this.row.querySelector(".result");
    result.href = address ?? sending.result.replace(/[0-]{36}/, transcript);
    result.setAttribute("aria-label", `Open: ${this.file.name}`);
    result.hidden = false;
    this.bar.value = 1;
    this.#become("stored", message ?? "Stored");
    if (uploads.length === 1) location.assign(result.href);
  }

  #cancel() {
    const before = this.status;
    this.#become("cancelled", "Cancelled");
    if (before === "chosen" || before === "refused") {
      uploads.splice(uploads.indexOf(this), 1);
      this.row.remove();
      chosen.focus();
    }
    this.abort?.abort();
    this.transport?.discard();
    this.transport = undefined;
    this.retry.focus();
    show();
  }

  #progress(bytes) {
    const now = performance.now();
    this.sent = bytes;
    this.#marks = [...this.#marks.filter(([time]) => now - time < SPEED_MS), [now, bytes]];
    this.bar.value = this.file.size ? Math.min(bytes / this.file.size, 1) : 1;
    if (now - this.#shownAt < SHOWN_MS) return;
    this.#shownAt = now;
    const [[since, before]] = this.#marks;
    const speed = (bytes - before) / Math.max((now - since) / 1000, 0.001);
    const parts = [`${size(Math.min(bytes, this.file.size))} of ${size(this.file.size)}`];
    if (bytes >= this.file.size) parts.push("being checked");
    else if (speed > 0) {
      parts.push(`${size(speed)}/s`, `${span((this.file.size - bytes) / speed)} left`);
    }
    this.#say(parts.join(", "));
  }

  #say(text) {
    this.row.querySelector(".account").textContent = text;
  }

  #become(status, text) {
    this.status = status;
    this.row.dataset.status = status;
    this.#say(text);
    this.cancel.hidden = status === "stored" || status === "cancelled";
    this.cancel.textContent = this.isActive ? "Cancel" : "Remove";
    this.retry.hidden = status !== "refused" && status !== "cancelled";
    if (status === "stored" || status === "refused") {
      announcement.textContent = `${this.file.name}: ${text}`;
    }
    show();
  }
}

const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function sentence(text) {
  return capitalised(/[.!?]$/.test(text) ? text : `${text}.`);
}

/** Return what sends a file, with all that the form says of it. */
function transportOf(file) {
  const fields = new FormData(form);
  if (!sending.pieces) return new Form(file, fields);
  const { csrfmiddlewaretoken: token, workspace, file: _, ...asked } = Object.fromEntries(fields);
  const { engine, language, ...rest } = asked;
  const given = Object.entries(rest).filter(([, value]) => value);
  const parameters = given.length ? JSON.stringify(Object.fromEntries(given)) : "";
  const metadata = { engine, language, parameters };
  return new Pieces(file, { address: sending.pieces, token, workspace, metadata });
}

function sendNext() {
  const free = AT_ONCE - uploads.filter((upload) => upload.status === "sending").length;
  for (const upload of uploads.filter((one) => one.status === "waiting").slice(0, free)) {
    upload.send();
  }
}

/** Show what can be done now. */
function show() {
  section.hidden = uploads.length === 0;
  const count = uploads.filter((upload) => upload.status === "chosen").length;
  button.value = count > 1 ? `Upload ${count} files` : "Upload";
}

function choose(files) {
  for (const file of files) uploads.push(new Upload(file));
  show();
}

/** Let files be dropped anywhere on the page. */
function takeDrops() {
  let depth = 0; // of the elements that a drag has entered and not left
  const isOfFiles = (event) => event.dataTransfer?.types.includes("Files");
  const mark = () => document.body.classList.toggle("dropping", depth > 0);
  addEventListener("dragenter", (event) => {
    if (isOfFiles(event)) depth += 1;
    mark();
  });
  addEventListener("dragleave", (event) => {
    if (isOfFiles(event)) depth -= 1;
    mark();
  });
  addEventListener("dragover", (event) => {
    if (isOfFiles(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!isOfFiles(event)) return;
    event.preventDefault();
    depth = 0;
    mark();
    choose(event.dataTransfer.files);
  });
}

chosen.multiple = true;
chosen.addEventListener("change", () => {
  choose(chosen.files);
  chosen.value = ""; // the list has them now
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const waiting = uploads.filter((upload) => upload.status === "chosen");
  for (const upload of waiting) upload.ask();
  if (waiting.length === 0) chosen.focus();
});
addEventListener("beforeunload", (event) => {
  if (uploads.some((upload) => upload.isActive)) event.preventDefault();
});
form.classList.add("takes-drops");
takeDrops();
