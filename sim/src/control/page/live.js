// The event stream, and when to look again.
//
// Events only mark what is out of date. Each part of the page looks again at most every so often,
// and never while it is hidden, so that thousands of events cost one look.

const SOONEST = 300;
const listeners = new Set();
const parts = [];

/** Calls `take(entry)` for each journal entry. */
export const onEntry = (take) => listeners.add(take);

/** A part of the page: `touches(entry)` says whether an entry puts it out of date, `look()` looks again. */
export class Part {
  constructor(visible, touches, look) {
    Object.assign(this, { visible, touches, look, dirty: true, busy: false, timer: 0, last: 0, pause: SOONEST });
    parts.push(this);
  }

  /** Looks again soon. */
  mark() {
    this.dirty = true;
    if (this.timer || this.busy || !this.visible()) return;
    this.timer = setTimeout(() => this.now(), Math.max(0, this.last + this.pause - performance.now()));
  }

  async now() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.busy) { this.dirty = true; return; }
    this.busy = true;
    this.dirty = false;
    const begun = performance.now();
    try { await this.look(); } catch { this.dirty = true; this.pause = 2000; }
    this.last = performance.now();
    // What takes long is done less often: a busy simulator has better things to do.
    this.pause = Math.min(5000, Math.max(SOONEST, (this.last - begun) * 8));
    this.busy = false;
    if (this.dirty) this.mark();
  }
}

/** Marks every part: something changed of which the journal tells nothing. */
export function markAll() {
  for (const part of parts) part.mark();
}

export function listen(after, state, waiting) {
  const events = new EventSource(`/events?after=${after}`);
  events.onopen = () => { state('live'); markAll(); };
  events.onerror = () => state('disconnected');
  events.onmessage = (message) => {
    const entry = JSON.parse(message.data);
    for (const take of listeners) take(entry);
    for (const part of parts) if (part.touches(entry)) part.mark();
  };
  events.addEventListener('waiting', (message) => waiting(JSON.parse(message.data)));
  events.addEventListener('changed', markAll);
  events.addEventListener('missed', markAll);
  events.addEventListener('reset', () => location.reload());
}
