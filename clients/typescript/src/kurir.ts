// The client: every operation by its path, and the common ones by a name.

import { KurirError } from './error.js';
import { type EventOptions, type KurirEvent, follow } from './events.js';
import type { paths } from './openapi.js';
import type { Answer, CallOptions, MethodOf, Operation, Path, RequestOptions, Rest } from './operation.js';
import { type Settings, Transport } from './transport.js';
import type * as api from './types.js';

/** The query of a list. */
type Query<P extends Path> = paths[P] extends { get: { parameters: { query?: infer Q } } } ? NonNullable<Q> : never;

/** How far a message is to have come before a send answers, and how long to wait for that. */
export interface SendOptions extends CallOptions {
  /** Answer when WhatsApp's server has it (`sent`) or the phone (`delivered`); at once without it. */
  wait?: 'sent' | 'delivered';
  /** For so many seconds at most; beyond 30 give a longer `timeoutMs`, too. */
  timeoutSeconds?: number;
}

/** A gateway of kurir's. */
export class Kurir {
  readonly #transport: Transport;

  constructor(settings: Settings) {
    this.#transport = new Transport(settings);
  }

  /** Makes a request. Its options and its answer have the types of the gateway's description. */
  async request<P extends Path, M extends MethodOf<P>>(
    path: P,
    method: M,
    ...[options]: Rest<RequestOptions<Operation<P, M>>>
  ): Promise<Answer<Operation<P, M>>> {
    const response = await this.#ask(path, method, options);
    if (response.status === 204) {
      return undefined as Answer<Operation<P, M>>;
    }
    const text = await response.text();
    if (!/[/+]json\b/.test(response.headers.get('content-type') ?? '')) {
      return text as Answer<Operation<P, M>>;
    }
    try {
      return JSON.parse(text) as Answer<Operation<P, M>>;
    } catch (cause) {
      const { status } = response;
      throw new KurirError('the gateway answered with broken JSON', { code: 'bad_answer', status, cause });
    }
  }

  /** The same, with the answer as it came: for files, and for headers. */
  response<P extends Path, M extends MethodOf<P>>(
    path: P,
    method: M,
    ...[options]: Rest<RequestOptions<Operation<P, M>>>
  ): Promise<Response> {
    return this.#ask(path, method, options);
  }

  /** What was given has been checked by its types. */
  async #ask(path: string, method: string, options: unknown): Promise<Response> {
    const given = (options ?? {}) as Loose;
    const headers: Record<string, string> = {};
    let body: BodyInit | undefined;
    if (given.body !== undefined) {
      if (isRaw(given.body)) {
        body = given.body;
      } else {
        body = JSON.stringify(given.body);
        headers['content-type'] = 'application/json';
      }
    }
    if (method === 'post') {
      headers['idempotency-key'] = given.idempotencyKey ?? crypto.randomUUID();
    }
    return this.#transport.send({
      method: method.toUpperCase(),
      path: filled(path, given.path) + search(given.query),
      headers: { ...headers, ...given.headers },
      body,
      signal: given.signal,
      timeoutMs: given.timeoutMs,
    });
  }

  /** Follows events, and goes on where the connection broke off. */
  events(options: EventOptions = {}): AsyncGenerator<KurirEvent, void> {
    return follow(this.#transport, options);
  }

  readonly sessions = {
    list: (query: Query<'/v1/sessions'> = {}, call: CallOptions = {}): Promise<api.SessionList> =>
      this.request('/v1/sessions', 'get', { query, ...call }),
    /** All of them, page by page. */
    all: (query: Query<'/v1/sessions'> = {}, call: CallOptions = {}): AsyncGenerator<api.Session, void> =>
      this.#allSessions(query, call),
    get: (id: string, call: CallOptions = {}): Promise<api.Session> =>
      this.request('/v1/sessions/{id}', 'get', { path: { id }, ...call }),
    create: (body: api.NewSession = {}, call: CallOptions = {}): Promise<api.Session> =>
      this.request('/v1/sessions', 'post', { body, ...call }),
    change: (id: string, body: api.SessionChange, call: CallOptions = {}): Promise<api.Session> =>
      this.request('/v1/sessions/{id}', 'patch', { path: { id }, body, ...call }),
    delete: (id: string, call: CallOptions = {}): Promise<api.Session> =>
      this.request('/v1/sessions/{id}', 'delete', { path: { id }, ...call }),
    start: (id: string, call: CallOptions = {}): Promise<api.Session> =>
      this.request('/v1/sessions/{id}/start', 'post', { path: { id }, ...call }),
    stop: (id: string, call: CallOptions = {}): Promise<api.Session> =>
      this.request('/v1/sessions/{id}/stop', 'post', { path: { id }, ...call }),
    restart: (id: string, call: CallOptions = {}): Promise<api.Session> =>
      this.request('/v1/sessions/{id}/restart', 'post', { path: { id }, ...call }),
    logout: (id: string, call: CallOptions = {}): Promise<api.Session> =>
      this.request('/v1/sessions/{id}/logout', 'post', { path: { id }, ...call }),
    qr: (id: string, call: CallOptions = {}): Promise<api.QrCode> =>
      this.request('/v1/sessions/{id}/qr', 'get', { path: { id }, query: { format: 'json' }, ...call }),
    pairingCode: (id: string, number: string, call: CallOptions = {}): Promise<api.PairingCode> =>
      this.request('/v1/sessions/{id}/pairing-code', 'post', { path: { id }, body: { number }, ...call }),
    /** The default session; 404 where there is none. */
    default: (call: CallOptions = {}): Promise<api.Session> => this.request('/v1/sessions/default', 'get', { ...call }),
    setDefault: (session: string, call: CallOptions = {}): Promise<api.Session> =>
      this.request('/v1/sessions/default', 'put', { body: { session }, ...call }),
  };

  readonly messages = {
    send: (body: api.NewMessage, options: SendOptions = {}): Promise<api.Message> => this.#send(body, options),
    /** A text from a session, or from the default one. */
    sendText: (to: string, text: string, options: SendOptions & { session?: string } = {}): Promise<api.Message> => {
      const { session, ...rest } = options;
      return this.#send({ to, content: { type: 'text', text }, ...(session === undefined ? {} : { session }) }, rest);
    },
    sendBatch: (body: api.NewBatch, call: CallOptions = {}): Promise<api.TakenBatch> =>
      this.request('/v1/messages/batch', 'post', { body, ...call }),
    list: (query: Query<'/v1/messages'> = {}, call: CallOptions = {}): Promise<api.MessageList> =>
      this.request('/v1/messages', 'get', { query, ...call }),
    get: (id: string, call: CallOptions = {}): Promise<api.Message> =>
      this.request('/v1/messages/{id}', 'get', { path: { id }, ...call }),
    cancel: (id: string, call: CallOptions = {}): Promise<api.Message> =>
      this.request('/v1/messages/{id}/cancel', 'post', { path: { id }, ...call }),
    batch: (id: string, call: CallOptions = {}): Promise<api.Batch> =>
      this.request('/v1/batches/{id}', 'get', { path: { id }, ...call }),
  };

  readonly verifications = {
    create: (body: api.NewVerification, call: CallOptions = {}): Promise<api.Verification> =>
      this.request('/v1/verifications', 'post', { body, ...call }),
    check: (id: string, code: string, call: CallOptions = {}): Promise<api.VerificationCheck> =>
      this.request('/v1/verifications/{id}/check', 'post', { path: { id }, body: { code }, ...call }),
    /** The newest verification of a number. */
    checkNumber: (to: string, code: string, call: CallOptions = {}): Promise<api.VerificationCheck> =>
      this.request('/v1/verifications/check', 'post', { body: { to, code }, ...call }),
    get: (id: string, call: CallOptions = {}): Promise<api.Verification> =>
      this.request('/v1/verifications/{id}', 'get', { path: { id }, ...call }),
    list: (query: Query<'/v1/verifications'> = {}, call: CallOptions = {}): Promise<api.VerificationList> =>
      this.request('/v1/verifications', 'get', { query, ...call }),
    resend: (id: string, call: CallOptions = {}): Promise<api.Verification> =>
      this.request('/v1/verifications/{id}/resend', 'post', { path: { id }, ...call }),
    cancel: (id: string, call: CallOptions = {}): Promise<api.Verification> =>
      this.request('/v1/verifications/{id}/cancel', 'post', { path: { id }, ...call }),
  };

  readonly templates = {
    list: (query: Query<'/v1/templates'> = {}, call: CallOptions = {}) =>
      this.request('/v1/templates', 'get', { query, ...call }),
    get: (name: string, call: CallOptions = {}): Promise<api.Template> =>
      this.request('/v1/templates/{name}', 'get', { path: { name }, ...call }),
    create: (body: api.NewTemplate, call: CallOptions = {}): Promise<api.Template> =>
      this.request('/v1/templates', 'post', { body, ...call }),
    put: (name: string, body: api.TemplateTexts, call: CallOptions = {}): Promise<api.Template> =>
      this.request('/v1/templates/{name}', 'put', { path: { name }, body, ...call }),
    delete: (name: string, call: CallOptions = {}): Promise<api.Template> =>
      this.request('/v1/templates/{name}', 'delete', { path: { name }, ...call }),
  };

  readonly keys = {
    list: (call: CallOptions = {}): Promise<api.KeyList> => this.request('/v1/keys', 'get', { ...call }),
    create: (body: api.NewKey, call: CallOptions = {}): Promise<api.MadeKey> =>
      this.request('/v1/keys', 'post', { body, ...call }),
    revoke: (id: string, call: CallOptions = {}): Promise<api.Key> =>
      this.request('/v1/keys/{id}', 'delete', { path: { id }, ...call }),
  };

  readonly webhooks = {
    list: (call: CallOptions = {}): Promise<api.WebhookList> => this.request('/v1/webhooks', 'get', { ...call }),
    create: (body: api.NewWebhook, call: CallOptions = {}): Promise<api.MadeWebhook> =>
      this.request('/v1/webhooks', 'post', { body, ...call }),
    delete: (id: string, call: CallOptions = {}): Promise<undefined> =>
      this.request('/v1/webhooks/{id}', 'delete', { path: { id }, ...call }),
  };

  async #send(body: api.NewMessage, options: SendOptions): Promise<api.Message> {
    const { wait, timeoutSeconds, ...call } = options;
    const query: { wait?: string; timeout?: number } = {};
    if (wait !== undefined) query.wait = wait;
    if (timeoutSeconds !== undefined) query.timeout = timeoutSeconds;
    return this.request('/v1/messages', 'post', { body, query, ...call });
  }

  async *#allSessions(query: Query<'/v1/sessions'>, call: CallOptions): AsyncGenerator<api.Session, void> {
    let page = await this.sessions.list(query, call);
    yield* page.sessions;
    while (page.next != null) {
      page = await this.sessions.list({ ...query, after: page.next }, call);
      yield* page.sessions;
    }
  }
}

/** The options of any operation; their types were checked where they came in. */
interface Loose extends CallOptions {
  path?: Record<string, string | number>;
  query?: Record<string, unknown>;
  body?: unknown;
}

function isRaw(body: unknown): body is string | Blob | FormData | Uint8Array<ArrayBuffer> {
  return (
    typeof body === 'string' || body instanceof Uint8Array || body instanceof FormData || body instanceof Blob
  );
}

function filled(path: string, values: Record<string, string | number> = {}): string {
  return path.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const value = values[name];
    // A path of dots would be another path.
    if (value === undefined || /^\.{0,2}$/.test(String(value))) {
      throw new TypeError(`${path} needs ${name}`);
    }
    return encodeURIComponent(value);
  });
}

function search(query: Record<string, unknown> = {}): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) given.append(name, String(one));
    }
  }
  const text = given.toString();
  return text === '' ? '' : `?${text}`;
}
