// Keeps parts of a page fresh: `<div data-live="sessions messages" data-src="/admin/…">` is asked for again when the gateway says
// that something of these topics is new, and every ten seconds in case it could not say so.

const EVERY = 10_000;

// Whether the reader is in the middle of something that a new text would take away.
function busy(part) {
  const active = document.activeElement;
  const typing = active && part.contains(active) && active.matches("input, textarea, select");
  return typing || part.querySelector("dialog[open], details[open]") !== null;
}

// What stands for an element that was replaced: the one of the same id, else the one that it names in `data-else`.
export function instead(element) {
  const found = (id) => (id ? document.getElementById(id) : null);
  return element.isConnected ? element : found(element.id) ?? found(element.dataset.else);
}

async function refresh(part) {
  if (part.dataset.asking) {
    part.dataset.again = "yes";
    return;
  }
  part.dataset.asking = "yes";
  try {
    const answer = await fetch(part.dataset.src, { headers: { "X-Requested-With": "fetch" } });
    if (answer.status === 401) {
      location.reload();
      return;
    }
    // What is gone says so; anything else is asked for again.
    if (!answer.ok && answer.status !== 404) return;
    const text = await answer.text();
    if (text !== part.lastText && !busy(part)) {
      const focused = part.contains(document.activeElement) ? document.activeElement : null;
      part.lastText = text;
      part.innerHTML = text;
      if (focused) instead(focused)?.focus();
      part.dispatchEvent(new CustomEvent("fresh", { bubbles: true }));
    }
  } catch {
    // The gateway does not answer now; the next turn asks again.
  } finally {
    delete part.dataset.asking;
    if (part.dataset.again) {
      delete part.dataset.again;
      refresh(part);
    }
  }
}

export function keepFresh(root) {
  const parts = () => [...root.querySelectorAll("[data-live]")];
  if (parts().length === 0) return;
  const news = new EventSource("/admin/live");
  news.addEventListener("news", ({ data }) => {
    const topics = data.split(" ");
    for (const part of parts()) {
      if (part.dataset.live.split(" ").some((topic) => topics.includes(topic))) refresh(part);
    }
  });
  setInterval(() => document.hidden || parts().forEach(refresh), EVERY);
}
