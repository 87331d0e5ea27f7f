// Waiting that can be ended, and that keeps no program alive on its own where that is wished.

/** Waits so long; rejects with the signal's reason when that comes first. */
export function wait(milliseconds: number, signal?: AbortSignal, keepsAlive = true): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', ended);
      resolve();
    }, milliseconds);
    const ended = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', ended, { once: true });
    if (!keepsAlive) {
      letGo(timer);
    }
  });
}

/** In Node a timer keeps the program alive; in a browser it is a number. */
function letGo(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') {
    timer.unref();
  }
}
