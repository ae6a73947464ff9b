/** The fields that a segment is corrected in, where it stands. */

/** What a segment says, without its marks. */
export function saidIn(segment) {
  const said = segment.querySelector(".said").cloneNode(true);
  for (const mark of said.querySelectorAll(".seam")) mark.remove();
  return said.textContent.trim();
}

const token = () => document.querySelector("[name=csrfmiddlewaretoken]").value;

function made(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/**
 * Open an editor in a segment.
 *
 * @param {HTMLElement} segment
 * @param {{address: string, version: () => string, saved: (answer: object) => void,
 *          closed: () => void}} page where it is sent, of which version, and what follows
 */
export function editorOf(segment, page) {
  const before = saidIn(segment);
  const speaker = segment.querySelector(".speaker");
  const said = segment.querySelector(".said");
  const at = segment.querySelector("time").textContent;
  const field = made("textarea", { value: before, rows: Math.max(2, Math.ceil(before.length / 70)), dir: "auto" });
  field.setAttribute("aria-label", `Text of the segment at ${at}`);
  const name = made("input", { type: "text", value: speaker?.textContent ?? "", placeholder: "Speaker", maxLength: 100 });
  name.setAttribute("aria-label", `Speaker of the segment at ${at}`);
  const refusal = made("span", { className: "refusal" });
  refusal.setAttribute("role", "alert");
  const save = made("button", { type: "button", className: "small", textContent: "Save" });
  const cancel = made("button", { type: "button", className: "small", textContent: "Cancel" });
  const help = made("span", { className: "quiet", textContent: "Enter saves, Escape cancels; an empty text deletes it." });
  const editor = made("span", { className: "editor" }, name, field, refusal, made("span", { className: "buttons" }, save, cancel, help));
  let version = page.version();

  const close = () => {
    editor.remove();
    said.hidden = false;
    if (speaker) speaker.hidden = false;
    segment.classList.remove("editing");
  };
  const leave = () => { close(); page.closed(); };

  /** Send it; who was faster is told of, unless they changed another place. */
  async function send() {
    const body = new FormData();
    if (field.value.trim() !== before) body.set("text", field.value);
    if (name.value.trim() !== (speaker?.textContent ?? "")) body.set("speaker", name.value);
    if (![...body.keys()].length) return leave();
    body.set("version", version);
    save.disabled = true;
    try {
      const response = await fetch(page.address, { method: "POST", body, headers: { "X-CSRFToken": token() } });
      const answer = response.headers.get("Content-Type")?.includes("json") ? await response.json() : {};
      if (response.ok) {
        close();
        return page.saved(answer);
      }
      if (response.status !== 409) throw new Error(answer.detail ?? `It was refused: ${response.status}.`);
      if (answer.start !== Number(segment.dataset.start)) {
        refusal.textContent = `${answer.detail} This segment is no longer where it was: load the page anew.`;
        return;
      }
      version = answer.version;
      if (answer.said === before) return send();
      refusal.textContent = `${answer.detail} The segment says now: “${answer.said}”. `
        + "What you typed is still here; save it again to put it in its place.";
    } catch (error) {
      refusal.textContent = error.message;
    } finally {
      save.disabled = false;
    }
  }

  editor.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      leave();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.target !== cancel) {
      event.preventDefault();
      send();
    }
    event.stopPropagation();
  });
  save.addEventListener("click", send);
  cancel.addEventListener("click", leave);
  said.hidden = true;
  if (speaker) speaker.hidden = true;
  said.before(editor);
  segment.classList.add("editing");
  field.focus();
}
