// Talking to the simulator.

/** A problem that the simulator described, or that there was no answer at all. */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

async function request(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers['content-type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  let reply;
  try {
    reply = await fetch(path, options);
  } catch {
    throw new Problem(0, 'no_answer', 'The simulator does not answer.');
  }
  const text = await reply.text();
  let data = null;
  try { data = text ? JSON.parse(text) : null; } catch { /* not JSON: the text is shown */ }
  if (!reply.ok) throw new Problem(reply.status, data?.code ?? 'unknown', data?.detail ?? (text || reply.statusText));
  return { data, headers: reply.headers };
}

export const get = async (path) => (await request('GET', path)).data;
export const post = async (path, body) => (await request('POST', path, body)).data;
export const put = async (path, body) => (await request('PUT', path, body)).data;
export const remove = async (path) => (await request('DELETE', path)).data;

/** A list with the number of all that fit. */
export async function getCounted(path) {
  const { data, headers } = await request('GET', path);
  return { items: data, total: Number(headers.get('x-total-count') ?? data.length) };
}

export const phonePath = (number, rest = '') => `/phones/${encodeURIComponent(number)}${rest}`;

let description = null;

/** The OpenAPI document: forms are made of it. */
export function described() {
  description ??= get('/openapi.json');
  return description;
}
