// Opens what a link leads to in a dialog, where it has `data-dialog`. The page behind the link works alone as well.
//
// What is in the dialog says how it goes on: `[data-again="MS"]` is asked for again after so many milliseconds, from `[data-from]` if it
// says so (204: it stays as it is), `[data-done]` closes the dialog. Forms in it are sent without leaving the page, and links with
// `data-inside` are followed in it.
import { instead } from "./live.js";

const FETCHED = { "X-Requested-With": "fetch" };

// The longest pause between two looks at what the dialog shows, in case that the gateway could not say that something is new.
const LONGEST = 3000;

function show(dialog, source) {
  const state = { source, timer: 0, turn: 0, text: "", open: true };
  const title = document.createElement("h2");
  title.id = "dialog-title";
  title.textContent = dialog.dataset.title;
  dialog.setAttribute("aria-labelledby", title.id);
  const inside = document.createElement("div");
  inside.setAttribute("aria-live", "polite");
  const close = document.createElement("button");
  close.type = "button";
  close.className = "quiet";
  close.textContent = dialog.dataset.close;
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(title, inside, close);

  const take = (text) => {
    if (text === state.text) return;
    const focused = inside.contains(document.activeElement) ? document.activeElement : null;
    state.text = text;
    inside.innerHTML = text;
    if (focused) (instead(focused) ?? inside.querySelector("[autofocus]") ?? close).focus();
  };
  const next = () => {
    if (inside.querySelector("[data-done]")) {
      dialog.close();
      return;
    }
    const again = inside.querySelector("[data-again]");
    if (again) state.timer = setTimeout(look, Math.min(Number(again.dataset.again) || LONGEST, LONGEST));
  };
  async function ask(address, more = {}) {
    // Whatever was asked for before is not waited for any more.
    const turn = ++state.turn;
    clearTimeout(state.timer);
    const current = () => state.open && turn === state.turn;
    try {
      const answer = await fetch(address, { ...more, headers: FETCHED });
      const text = answer.status === 204 ? state.text : await answer.text();
      if (!current()) return;
      // Not signed in any more, or something else that only a whole page can tell.
      if (answer.status === 401 || text.startsWith("<!DOCTYPE")) {
        location.reload();
        return;
      }
      take(text);
    } catch {
      // The gateway does not answer now; the next look asks again.
      if (current()) state.timer = setTimeout(look, LONGEST);
      return;
    }
    next();
  }
  function look() {
    ask(inside.querySelector("[data-from]")?.dataset.from ?? state.source);
  }
  inside.addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    ask(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)) });
  });
  inside.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-inside]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    state.source = link.href;
    ask(state.source);
  });
  dialog.addEventListener("close", () => {
    state.open = false;
    clearTimeout(state.timer);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  look();
}

export function openDialogs(root) {
  root.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const dialog = document.createElement("dialog");
    dialog.dataset.close = link.dataset.dialog;
    dialog.dataset.title = link.textContent.trim();
    show(dialog, link.href);
    dialog.addEventListener("close", () => instead(link)?.focus());
  });
}
