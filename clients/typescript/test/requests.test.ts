// What is sent, what is repeated, and how a refusal is told.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Kurir, KurirError } from '@kurir/client';

import { Gateway, json, problem } from './gateway.js';

const quick = { backoffMs: 1, apiKey: 'key-of-a-test' };

test('a message is posted with key, name and query', async () => {
  const gateway = await Gateway.start((_, response) => json(response, 202, { id: 'm1', state: 'queued' }));
  try {
    const kurir = new Kurir({ baseUrl: `${gateway.baseUrl}/`, ...quick });
    const message = await kurir.messages.sendText('+6281234567890', 'halo', { session: 'toko-1', wait: 'sent', timeoutSeconds: 5 });
    assert.equal(message.state, 'queued');
    const [heard] = gateway.heard;
    assert.ok(heard);
    assert.equal(`${heard.method} ${heard.path}`, 'POST /v1/messages?wait=sent&timeout=5');
    assert.equal(heard.headers.authorization, 'Bearer key-of-a-test');
    assert.match(String(heard.headers['idempotency-key']), /^[0-9a-f-]{36}$/);
    assert.deepEqual(JSON.parse(heard.body), { to: '+6281234567890', content: { type: 'text', text: 'halo' }, session: 'toko-1' });
  } finally {
    await gateway.close();
  }
});

test('a send that is repeated keeps its name, and another one has another', async () => {
  const gateway = await Gateway.start((_, response, count) => {
    if (count === 1) json(response, 503, problem(503, 'unavailable'), { 'retry-after': '0' });
    else if (count === 2) response.destroy();
    else json(response, 202, { id: 'm1', state: 'queued' });
  });
  try {
    const kurir = new Kurir({ baseUrl: gateway.baseUrl, ...quick });
    await kurir.messages.sendText('+6281234567890', 'halo');
    await kurir.messages.sendText('+6281234567890', 'halo');
    const names = gateway.heard.map((heard) => heard.headers['idempotency-key']);
    assert.equal(names.length, 4);
    assert.equal(new Set(names.slice(0, 3)).size, 1);
    assert.notEqual(names[3], names[0]);
  } finally {
    await gateway.close();
  }
});

test('a refusal is told with code, status and pause, and is not repeated', async () => {
  const refused = problem(422, 'bad_field', { field: 'to' });
  const gateway = await Gateway.start((_, response) => json(response, 422, refused));
  try {
    const kurir = new Kurir({ baseUrl: gateway.baseUrl, ...quick });
    await assert.rejects(kurir.messages.sendText('x', 'halo'), (error) => {
      assert.ok(error instanceof KurirError);
      assert.deepEqual([error.code, error.status, error.message, error.isTemporary], ['bad_field', 422, 'it is bad_field', false]);
      assert.equal(error.problem?.field, 'to');
      return true;
    });
    assert.equal(gateway.heard.length, 1);
  } finally {
    await gateway.close();
  }
});

test('repetitions end, and a longer pause than anybody waits is told at once', async () => {
  const gateway = await Gateway.start(({ path }, response) => {
    if (path === '/healthz') json(response, 429, problem(429, 'rate_limited', { retryAfterSeconds: 60 }), { 'retry-after': '60' });
    else json(response, 503, problem(503, 'unavailable'));
  });
  try {
    const kurir = new Kurir({ baseUrl: gateway.baseUrl, retries: 2, ...quick });
    await assert.rejects(kurir.sessions.list(), { code: 'unavailable', status: 503 });
    assert.equal(gateway.heard.length, 3);
    await assert.rejects(kurir.request('/healthz', 'get'), { code: 'rate_limited', status: 429, retryAfterSeconds: 60 });
    assert.equal(gateway.heard.length, 4);
  } finally {
    await gateway.close();
  }
});

test('no answer in time, no gateway, a page in the place of JSON', async () => {
  const gateway = await Gateway.start(({ path }, response) => {
    if (path === '/readyz') {
      response.writeHead(500, { 'content-type': 'text/html' });
      response.end('<h1>proxy</h1>');
    }
  });
  const kurir = new Kurir({ baseUrl: gateway.baseUrl, retries: 1, timeoutMs: 1_000, ...quick });
  try {
    await assert.rejects(kurir.request('/healthz', 'get'), { code: 'timeout', status: 0 });
    assert.ok(gateway.heard.length <= 2, 'one repetition');
    await assert.rejects(kurir.request('/readyz', 'get'), { code: 'bad_answer', status: 500 });
    const ended = AbortSignal.abort(new Error('enough'));
    await assert.rejects(kurir.request('/healthz', 'get', { signal: ended }), { message: 'enough' });
  } finally {
    await gateway.close();
  }
  await assert.rejects(kurir.request('/healthz', 'get'), { code: 'unreachable', status: 0 });
  assert.throws(() => new Kurir({ baseUrl: 'localhost' }), TypeError);
});

test('parameters of a path can not lead to another one', async () => {
  const gateway = await Gateway.start((_, response) => json(response, 200, { id: 's' }));
  try {
    const kurir = new Kurir({ baseUrl: gateway.baseUrl, ...quick });
    await kurir.sessions.get('a/b?c');
    assert.equal(gateway.heard[0]?.path, '/v1/sessions/a%2Fb%3Fc');
    await assert.rejects(kurir.sessions.get('..'), TypeError);
    await assert.rejects(kurir.sessions.get(''), TypeError);
    assert.equal(gateway.heard.length, 1);
  } finally {
    await gateway.close();
  }
});

test('pages are followed to the end', async () => {
  const gateway = await Gateway.start(({ path }, response) => {
    const last = path.includes('after=b');
    json(response, 200, last ? { sessions: [{ id: 'c' }] } : { sessions: [{ id: 'a' }, { id: 'b' }], next: 'b' });
  });
  try {
    const kurir = new Kurir({ baseUrl: gateway.baseUrl, ...quick });
    const ids: string[] = [];
    for await (const session of kurir.sessions.all({ state: 'connected', label: ['team=a', 'shift=b'] })) ids.push(session.id);
    assert.deepEqual(ids, ['a', 'b', 'c']);
    assert.equal(gateway.heard[1]?.path, '/v1/sessions?state=connected&label=team%3Da&label=shift%3Db&after=b');
  } finally {
    await gateway.close();
  }
});
