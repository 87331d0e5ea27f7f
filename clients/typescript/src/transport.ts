// One request over fetch, repeated where that can help.

import { KurirError } from './error.js';
import { wait } from './wait.js';

/** Where the gateway is, and how patient to be. */
export interface Settings {
  /** The gateway's address, like `https://kurir.example`; `/v1` is added by the client. */
  baseUrl: string;
  /** An API key. */
  apiKey?: string | undefined;
  /** How long one try may take; 30 s. */
  timeoutMs?: number | undefined;
  /** How often a request is repeated at most, 3; 0: never. */
  retries?: number | undefined;
  /** The pause before the first repetition, doubled each time; 500 ms. */
  backoffMs?: number | undefined;
  /** No pause is longer. A gateway that asks for a longer one is not asked again; its refusal is told. 30 s. */
  maxPauseMs?: number | undefined;
  /** In the place of the global `fetch`. */
  fetch?: typeof fetch | undefined;
}

/** What is asked, below the address. */
export interface Asked {
  method: string;
  /** With its parameters filled in, beginning with `/`. */
  path: string;
  headers: Record<string, string>;
  body?: BodyInit | undefined;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

export class Transport {
  readonly #base: string;
  readonly #settings: Settings;

  constructor(settings: Settings) {
    let url: URL;
    try {
      url = new URL(settings.baseUrl);
    } catch (cause) {
      throw new TypeError(`baseUrl ${JSON.stringify(settings.baseUrl)} is no address like http://127.0.0.1:8080`, { cause });
    }
    this.#base = url.href.replace(/\/+$/, '');
    this.#settings = settings;
  }

  /** The answer to a request, once it is a good one. Repeats what may be repeated: refusals that pass, and no answer. */
  async send(asked: Asked): Promise<Response> {
    const retries = this.#settings.retries ?? 3;
    for (let tried = 0; ; tried += 1) {
      const failure = await this.#attempt(asked);
      if (failure instanceof Response) {
        return failure;
      }
      const pause = this.#pause(tried, failure);
      if (tried >= retries || !failure.isTemporary || pause === undefined) {
        throw failure;
      }
      await wait(pause, asked.signal);
    }
  }

  /** One try that is not timed, for streams: the signal is the only thing that ends it. */
  async open(asked: Asked): Promise<Response> {
    const response = await this.#fetch(asked, asked.signal);
    if (!response.ok) {
      throw await KurirError.of(response);
    }
    return response;
  }

  async #attempt(asked: Asked): Promise<Response | KurirError> {
    const late = AbortSignal.timeout(asked.timeoutMs ?? this.#settings.timeoutMs ?? 30_000);
    const signal = asked.signal === undefined ? late : AbortSignal.any([asked.signal, late]);
    try {
      const response = await this.#fetch(asked, signal);
      if (!response.ok) {
        return await KurirError.of(response);
      }
      // Read here, so that an answer that breaks off is a failed try and not a surprise later.
      const body = response.status === 204 ? null : await response.arrayBuffer();
      return new Response(body, { status: response.status, headers: response.headers });
    } catch (cause) {
      asked.signal?.throwIfAborted();
      const code = late.aborted ? 'timeout' : 'unreachable';
      const what = late.aborted ? 'did not answer in time' : 'can not be reached';
      return cause instanceof KurirError ? cause : new KurirError(`the gateway ${what}`, { code, status: 0, cause });
    }
  }

  async #fetch(asked: Asked, signal: AbortSignal | undefined): Promise<Response> {
    const headers: Record<string, string> = { accept: 'application/json', ...asked.headers };
    if (this.#settings.apiKey !== undefined) {
      headers['authorization'] = `Bearer ${this.#settings.apiKey}`;
    }
    const init: RequestInit = { method: asked.method, headers };
    if (asked.body !== undefined) {
      init.body = asked.body;
    }
    if (signal !== undefined) {
      init.signal = signal;
    }
    return (this.#settings.fetch ?? fetch)(this.#base + asked.path, init);
  }

  /** How long to wait before the next try; `undefined`: longer than anybody wants to wait here. */
  #pause(tried: number, failure: KurirError): number | undefined {
    const most = this.#settings.maxPauseMs ?? 30_000;
    if (failure.retryAfterSeconds !== undefined) {
      const asked = failure.retryAfterSeconds * 1000;
      return asked <= most ? asked : undefined;
    }
    const doubled = Math.min(most, (this.#settings.backoffMs ?? 500) * 2 ** tried);
    // Half of it by chance, so that many clients of one gateway do not come back at the same moment.
    return doubled / 2 + Math.random() * (doubled / 2);
  }
}
