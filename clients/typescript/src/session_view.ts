// What is known of the sessions right now, for callers who ask without waiting. Kept fresh by what they do and by a look
// every few seconds, which keeps no program alive.

import type { Kurir } from './kurir.js';
import type { Session } from './types.js';
import { wait } from './wait.js';

export class SessionView {
  readonly #kurir: Kurir;
  readonly #everyMs: number;
  readonly #sessions = new Map<string, Session>();
  #looks: AbortController | undefined;
  #seenAt = -Infinity;
  #asked: Promise<Session[]> | undefined;

  constructor(kurir: Kurir, everyMs: number) {
    this.#kurir = kurir;
    this.#everyMs = everyMs;
  }

  /** Whether it is recent enough to be believed. What nobody could look at for a while says nothing. */
  get isFresh(): boolean {
    return performance.now() - this.#seenAt <= Math.max(30_000, 3 * this.#everyMs);
  }

  /** All sessions as of the last look; none when that is too long ago. */
  get sessions(): Session[] {
    return this.isFresh ? [...this.#sessions.values()] : [];
  }

  /** A session by its id, else by its name. */
  find(idOrName: string): Session | undefined {
    const known = this.sessions;
    return known.find((session) => session.id === idOrName) ?? known.find((session) => session.name === idOrName);
  }

  /** Looks at all sessions. Who asks while somebody looks gets the same answer. */
  refresh(): Promise<Session[]> {
    this.#asked ??= this.#look().finally(() => {
      this.#asked = undefined;
    });
    return this.#asked;
  }

  /** Enters what a call told of one session. */
  put(session: Session): void {
    this.#sessions.set(session.id, session);
  }

  /** Looks again and again from now on. */
  follow(): void {
    if (this.#looks === undefined) {
      this.#looks = new AbortController();
      void this.#keepLooking(this.#looks.signal);
    }
  }

  /** Looks no more. */
  stop(): void {
    this.#looks?.abort();
    this.#looks = undefined;
  }

  async #look(): Promise<Session[]> {
    const found: Session[] = [];
    for await (const session of this.#kurir.sessions.all()) {
      found.push(session);
    }
    this.#sessions.clear();
    for (const session of found) {
      this.put(session);
    }
    this.#seenAt = performance.now();
    return found;
  }

  async #keepLooking(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // A look that fails leaves what is known to grow old; the next one may not fail.
      await this.refresh().catch(() => undefined);
      await wait(this.#everyMs, signal, false).catch(() => undefined);
    }
  }
}
