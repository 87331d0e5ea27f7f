// The gateway's events: Server-Sent Events read from a fetch stream, gone on with where a connection broke off.

import { KurirError } from './error.js';
import type { Transport } from './transport.js';
import { wait } from './wait.js';

/** The envelope of an event, as CloudEvents 1.0 has it. */
export interface Envelope {
  specversion: string;
  id: string;
  type: string;
  source: string;
  time: string;
  subject?: string;
  data: Record<string, unknown>;
  [extension: string]: unknown;
}

/** An event with its place in the gateway's log. */
export interface KurirEvent {
  /** Its place: given as `lastEventId`, the stream goes on after it. */
  id: string;
  /** Like `message.sent`; `gap` where events before this moment are not kept any more. */
  type: string;
  /** The envelope; none of a `gap`. */
  event?: Envelope;
}

/** Which events. */
export interface EventOptions {
  /** Names and families like `message.*`; all without it. */
  types?: string[];
  /** Of this session only. */
  session?: string;
  /** From this moment on, as far as events are kept. */
  since?: Date;
  /** After this event. */
  lastEventId?: string;
  /** `false`: only what there is already, from `since` or `lastEventId` on; without these nothing. */
  follow?: boolean;
  /** Ends the stream. */
  signal?: AbortSignal;
  /** A stream that is silent for so long is opened anew; the gateway gives a sign of life more often. 60 s. */
  idleTimeoutMs?: number;
  /** How often in a row the stream is opened without bringing anything, 10; then the last failure is thrown. */
  attempts?: number;
}

/** Follows events until the signal, or for ever. */
export async function* follow(transport: Transport, options: EventOptions = {}): AsyncGenerator<KurirEvent, void> {
  let last = options.lastEventId;
  let pause = 500;
  let fruitless = 0;
  while (!options.signal?.aborted) {
    let failure: KurirError;
    try {
      for await (const frame of frames(transport, options, last)) {
        fruitless = 0;
        last = frame.id ?? last;
        pause = frame.retry ?? pause;
        if (frame.event === 'end') {
          const reason = reasonIn(frame.data);
          if (reason === 'caught_up') {
            return;
          }
          if (reason === 'key_ended') {
            throw new KurirError('the API key has ended', { code: 'key_ended', status: 401 });
          }
        } else if (frame.event === 'gap') {
          yield { id: last ?? '', type: 'gap' };
        } else if (frame.data !== '') {
          yield { id: last ?? '', type: frame.event, event: JSON.parse(frame.data) as Envelope };
        }
      }
      failure = new KurirError('the stream of events ended', { code: 'unreachable', status: 0 });
    } catch (cause) {
      if (options.signal?.aborted) {
        return;
      }
      failure =
        cause instanceof KurirError
          ? cause
          : new KurirError('the stream of events broke off', { code: 'unreachable', status: 0, cause });
      if (!failure.isTemporary) {
        throw failure;
      }
    }
    fruitless += 1;
    if (fruitless >= (options.attempts ?? 10)) {
      throw failure;
    }
    const doubled = Math.min(30_000, pause * 2 ** (fruitless - 1));
    await wait(failure.retryAfterSeconds === undefined ? doubled : failure.retryAfterSeconds * 1000, options.signal)
      .catch(() => undefined);
  }
}

/** One event of a stream, as its lines tell it. */
export interface Frame {
  id: string | undefined;
  event: string;
  data: string;
  retry: number | undefined;
}

async function* frames(transport: Transport, options: EventOptions, last?: string): AsyncGenerator<Frame, void> {
  const idle = new AbortController();
  const signal = options.signal === undefined ? idle.signal : AbortSignal.any([options.signal, idle.signal]);
  const patience = options.idleTimeoutMs ?? 60_000;
  let timer = setTimeout(() => idle.abort(), patience);
  try {
    const query = new URLSearchParams();
    if (options.types !== undefined) query.set('types', options.types.join(','));
    if (options.session !== undefined) query.set('session', options.session);
    if (options.since !== undefined && last === undefined) query.set('since', options.since.toISOString());
    if (options.follow !== undefined) query.set('follow', String(options.follow));
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (last !== undefined) headers['last-event-id'] = last;
    const asked = query.toString();
    const path = asked === '' ? '/v1/events' : `/v1/events?${asked}`;
    const response = await transport.open({ method: 'GET', path, headers, signal });
    if (response.body === null) {
      throw new KurirError('the gateway answered without a stream', { code: 'bad_answer', status: response.status });
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new FrameParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      clearTimeout(timer);
      timer = setTimeout(() => idle.abort(), patience);
      yield* parser.push(value);
    }
  } finally {
    clearTimeout(timer);
    // Whoever leaves early leaves no connection behind.
    idle.abort();
  }
}

/** Puts pieces of a stream together to frames. */
export class FrameParser {
  #rest = '';
  #data: string[] = [];
  #event = '';
  #id: string | undefined;
  #retry: number | undefined;

  /** Takes the next piece and gives the frames that are whole with it. */
  *push(piece: string): Generator<Frame, void> {
    this.#rest += piece;
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.#rest);
      if (end === null) {
        return;
      }
      const line = this.#rest.slice(0, end.index);
      this.#rest = this.#rest.slice(end.index + end[0].length);
      if (line !== '') {
        this.#line(line);
      } else if (this.#data.length > 0 || this.#id !== undefined || this.#retry !== undefined) {
        yield { id: this.#id, event: this.#event || 'message', data: this.#data.join('\n'), retry: this.#retry };
        this.#data = [];
        this.#event = '';
        this.#id = undefined;
        this.#retry = undefined;
      }
    }
  }

  #line(line: string): void {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'id') this.#id = value;
    else if (field === 'retry' && /^[0-9]+$/.test(value)) this.#retry = Number(value);
  }
}

function reasonIn(data: string): string | undefined {
  try {
    const read: unknown = JSON.parse(data);
    return typeof read === 'object' && read !== null && 'reason' in read ? String(read.reason) : undefined;
  } catch {
    return undefined;
  }
}
