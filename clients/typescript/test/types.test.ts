// What must not compile does not. The calls are never made; `npm test` compiles this file.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Kurir, Session } from '@kurir/client';

export async function calls(kurir: Kurir): Promise<Session> {
  // @ts-expect-error There is no such path.
  await kurir.request('/v1/nothing', 'get');
  // @ts-expect-error The path has no such method.
  await kurir.request('/v1/sessions', 'delete');
  // @ts-expect-error The path has a parameter.
  await kurir.request('/v1/sessions/{id}', 'get');
  // @ts-expect-error A message has a recipient.
  await kurir.request('/v1/messages', 'post', { body: { content: { type: 'text', text: 'x' } } });
  // @ts-expect-error There is no such query.
  await kurir.request('/v1/sessions', 'get', { query: { nothing: 1 } });
  // @ts-expect-error What a session is not.
  const wrong: number = await kurir.request('/v1/sessions/{id}', 'get', { path: { id: 's' } });
  const nothing: undefined = await kurir.request('/v1/webhooks/{id}', 'delete', { path: { id: String(wrong) } });
  const text: string = await kurir.request('/metrics', 'get');
  assert.equal(nothing, text);
  return kurir.request('/v1/sessions/{id}', 'get', { path: { id: 's' } });
}

test('the calls above are compiled', () => assert.equal(typeof calls, 'function'));
