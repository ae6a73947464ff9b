/** Sending one file: in pieces by the tus protocol, or as a form. */

/** Pieces of this size cost little when one of them is lost. */
const PIECE_BYTES = 64 * 1024 * 1024;

/** How often a lost connection is tried again before somebody has to, and after how long. */
const TRIES = 8;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/** Answers after which the same request may succeed. */
const PASSING = [0, 408, 423, 429, 500, 502, 503, 504];

/** What an upload was refused with; `passing` when to send it again may help. */
export class Refusal extends Error {
  constructor(message, { passing = false, status = 0, waitMs = 0 } = {}) {
    super(message);
    Object.assign(this, { passing, status, waitMs });
  }
}

/**
 * Send a request and return its answer, whatever its status.
 *
 * @param {{method: string, address: string, headers?: object, body?: any, signal: AbortSignal,
 *   onSent?: (bytes: number) => void}} request
 * @returns {Promise<XMLHttpRequest>} rejected with an `AbortError` once `signal` says so
 */
function ask({ method, address, headers = {}, body = null, signal, onSent = () => {} }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open(method, address);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onSent(event.loaded);
    request.onload = request.onerror = request.ontimeout = () => resolve(request);
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", abort);
    if (signal.aborted) return request.onabort();
    signal.addEventListener("abort", abort);
    request.send(body);
  });
}

/** Return why a request was refused, in the words of the answer where it has any. */
function refusal(request) {
  const status = request.status;
  if (status === 0) return new Refusal("the connection was lost", { passing: true });
  const waitMs = 1000 * Number(request.getResponseHeader("Retry-After") ?? 0);
  return new Refusal(words(request) || `the server answered ${status}`, {
    passing: PASSING.includes(status),
    status,
    waitMs,
  });
}

/** Return what an answer says: a problem, or the errors of a form; nothing for a page. */
function words(request) {
  let told;
  try {
    told = JSON.parse(request.responseText);
  } catch {
    return "";
  }
  const errors = Object.values(told.errors ?? {}).flat();
  return errors.map((error) => error.message ?? error).join(" ") || told.detail || "";
}

/** Resolve after a while, or as soon as the browser is online again. */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      signal.aborted ? reject(new DOMException("cancelled", "AbortError")) : resolve();
    };
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end);
    signal.addEventListener("abort", end);
  });
}

/** Return a text in Base64, as UTF-8. */
function base64(text) {
  const bytes = new TextEncoder().encode(text);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** A file that is sent in pieces, and goes on where it was left, even on another visit. */
export class Pieces {
  /**
   * @param {File} file
   * @param {{address: string, token: string, workspace: string, metadata: object}} where
   *   `metadata` is what is asked of the file, as texts
   */
  constructor(file, { address, token, workspace, metadata }) {
    const told = Object.entries({ filename: file.name, ...metadata })
      .filter(([, value]) => value)
      .map(([name, value]) => `${name} ${base64(value)}`);
    this.file = file;
    this.address = address;
    this.announcement = { "Upload-Length": file.size, "Upload-Metadata": told.join(",") };
    this.headers = { Accept: "application/json", "Tus-Resumable": "1.0.0", "X-CSRFToken": token };
    if (workspace) this.headers["Longhand-Workspace"] = workspace;
    this.key = ["upload", workspace, file.lastModified, file.size, ...told].join(" ");
  }

  /**
   * Send what is not there yet.
   *
   * @param {{signal: AbortSignal, onSent: (bytes: number) => void,
   *   onWait: (why: string) => void}} watch
   * @returns {Promise<{transcript: string}>} rejected with a `Refusal`
   */
  async send({ signal, onSent, onWait }) {
    let tries = 0;
    let sent = -1;
    for (;;) {
      try {
        let offset = await this.#offset(signal);
        if (offset > sent) tries = 0; // something has arrived since
        for (sent = offset; ; sent = offset) {
          onSent(offset);
          const answer = await this.#piece(offset, { signal, onSent });
          tries = 0;
          offset = Number(answer.getResponseHeader("Upload-Offset"));
          if (offset === this.file.size) {
            localStorage.removeItem(this.key);
            return { transcript: answer.getResponseHeader("Longhand-Transcript") };
          }
        }
      } catch (error) {
        if (!(error instanceof Refusal) || !error.passing || tries === TRIES) throw error;
        onWait(error.message);
        const wait = Math.min(FIRST_WAIT_MS * 2 ** tries, LONGEST_WAIT_MS);
        tries += 1;
        await pause(Math.max(wait, error.waitMs), signal);
      }
    }
  }

  /** Have what has arrived forgotten, as soon as the server has seen the end of the last piece. */
  async discard() {
    const address = localStorage.getItem(this.key);
    localStorage.removeItem(this.key);
    const { signal } = new AbortController();
    for (let tries = 0; address && tries < TRIES; tries += 1) {
      const answer = await ask({ method: "DELETE", address, headers: this.headers, signal });
      if (!PASSING.includes(answer.status)) return;
      await pause(FIRST_WAIT_MS, signal);
    }
  }

  /** Return how much is there, of an upload that was begun before or of a new one. */
  async #offset(signal) {
    const known = localStorage.getItem(this.key);
    if (known) {
      const found = await ask({ method: "HEAD", address: known, headers: this.headers, signal });
      if (found.status === 200) return Number(found.getResponseHeader("Upload-Offset"));
      if (PASSING.includes(found.status)) throw refusal(found);
    }
    const headers = { ...this.headers, ...this.announcement };
    const made = await ask({ method: "POST", address: this.address, headers, signal });
    if (made.status !== 201) throw refusal(made);
    localStorage.setItem(this.key, new URL(made.getResponseHeader("Location")).pathname);
    return 0;
  }

  async #piece(offset, { signal, onSent }) {
    const answer = await ask({
      method: "PATCH",
      address: localStorage.getItem(this.key),
      headers: {
        ...this.headers,
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": offset,
      },
      body: this.file.slice(offset, offset + PIECE_BYTES),
      signal,
      onSent: (bytes) => onSent(offset + bytes),
    });
    if (answer.status === 204) return answer;
    if (answer.status === 409) throw new Refusal("some of it was lost", { passing: true });
    throw refusal(answer);
  }
}

/** A file that is sent with the form that it was chosen in. */
export class Form {
  /** @param {File} file @param {FormData} fields what else the form says */
  constructor(file, fields) {
    this.fields = fields;
    this.fields.set("file", file);
  }

  /** @returns {Promise<{address: string, message: string}>} rejected with a `Refusal` */
  async send({ signal, onSent }) {
    const headers = { Accept: "application/json" };
    const request = { method: "POST", address: location.href, headers, body: this.fields };
    const answer = await ask({ ...request, signal, onSent });
    if (answer.status !== 201) throw refusal(answer);
    return JSON.parse(answer.responseText);
  }

  async discard() {}
}
