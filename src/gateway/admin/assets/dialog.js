// Opens what a link leads to in a dialog, where it has `data-dialog`. The page behind the link works alone as well.
//
// What is in the dialog says how it goes on: `[data-again="MS"]` is asked for again after so many milliseconds, `[data-done]` closes the
// dialog. Forms in it are sent without leaving the page.

const FETCHED = { "X-Requested-With": "fetch" };

// The longest pause between two looks at what the dialog shows, in case that the gateway could not say that something is new.
const LONGEST = 3000;

function show(dialog, source) {
  const state = { source, timer: 0, open: true };
  const inside = document.createElement("div");
  inside.setAttribute("aria-live", "polite");
  const close = document.createElement("button");
  close.type = "button";
  close.className = "quiet";
  close.textContent = dialog.dataset.close;
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(inside, close);

  const take = (text) => {
    if (text === state.text) return;
    state.text = text;
    inside.innerHTML = text;
  };
  const next = () => {
    clearTimeout(state.timer);
    if (!state.open) return;
    if (inside.querySelector("[data-done]")) {
      dialog.close();
      return;
    }
    const again = inside.querySelector("[data-again]");
    if (again) state.timer = setTimeout(look, Math.min(Number(again.dataset.again) || LONGEST, LONGEST));
  };
  async function look() {
    try {
      const answer = await fetch(state.source, { headers: FETCHED });
      if (answer.status === 401) location.reload();
      if (state.open) take(await answer.text());
    } catch {
      // The gateway does not answer now; the next look asks again.
      state.timer = setTimeout(look, LONGEST);
      return;
    }
    next();
  }
  inside.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const body = new URLSearchParams(new FormData(form, event.submitter));
    try {
      const answer = await fetch(form.action, { method: "POST", headers: FETCHED, body });
      if (state.open) take(await answer.text());
    } catch {
      return;
    }
    next();
  });
  inside.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-inside]");
    if (!link) return;
    event.preventDefault();
    state.source = link.href;
    look();
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
    dialog.setAttribute("aria-label", link.textContent.trim());
    show(dialog, link.href);
    dialog.addEventListener("close", () => link.isConnected && link.focus());
  });
}
