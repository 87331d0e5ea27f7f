// The stream of events: how it is read, and that it goes on where it broke off.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Kurir } from '@kurir/client';

import { Gateway, json, problem } from './gateway.js';

const envelope = (id: string): string =>
  JSON.stringify({ specversion: '1.0', id, type: 'message.sent', source: 'kurir', time: '2026-01-01T00:00:00Z', data: {} });

test('the stream goes on after the last event that was seen', async () => {
  const gateway = await Gateway.start((heard, response, count) => {
    if (count === 2) {
      json(response, 503, problem(503, 'unavailable'), { 'retry-after': '0' });
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (count === 1) {
      // In pieces that end in the middle of lines, with every kind of line end.
      response.write('retry: 1\n: kurir\n\nid: 1\r\neve');
      setImmediate(() => {
        response.write(`nt: message.sent\r\ndata: ${envelope('e1')}\r\n\r\nid: 7\n: still here\n\n`);
        setImmediate(() => response.end('event: end\ndata: {"reason":"stopping"}\n\n'));
      });
    } else {
      response.end(`event: gap\ndata: {"reason":"x"}\n\nid: 9\nevent: message.sent\ndata: ${envelope('e2')}\n\nevent: end\ndata: {"reason":"caught_up"}\n\n`);
    }
  });
  try {
    const seen: string[] = [];
    const kurir = new Kurir({ baseUrl: gateway.baseUrl });
    for await (const { id, type, event } of kurir.events({ types: ['message.*'], session: 's' })) seen.push(`${id} ${type} ${event?.id}`);
    assert.deepEqual(seen, ['1 message.sent e1', '7 gap undefined', '9 message.sent e2']);
    assert.equal(gateway.heard[0]?.path, '/v1/events?types=message.*&session=s');
    assert.deepEqual(gateway.heard.map((heard) => heard.headers['last-event-id']), [undefined, '7', '7']);
  } finally {
    await gateway.close();
  }
});

test('a refusal, the end of the key and a signal end the stream', async () => {
  const gateway = await Gateway.start(({ path }, response) => {
    if (path.includes('session=no')) {
      json(response, 404, problem(404, 'not_found'));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`id: 1\nevent: message.sent\ndata: ${envelope('e1')}\n\n`);
    if (path.includes('session=ended')) response.end('event: end\ndata: {"reason":"key_ended"}\n\n');
  });
  try {
    const kurir = new Kurir({ baseUrl: gateway.baseUrl });
    await assert.rejects(kurir.events({ session: 'no' }).next(), { code: 'not_found', status: 404 });
    const ended = kurir.events({ session: 'ended' });
    assert.equal((await ended.next()).value?.event?.id, 'e1');
    await assert.rejects(ended.next(), { code: 'key_ended', status: 401 });
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const { id } of kurir.events({ signal: stop.signal })) {
      seen.push(id);
      stop.abort();
    }
    assert.deepEqual(seen, ['1']);
  } finally {
    await gateway.close();
  }
});

test('a silent stream is opened anew, and a dead gateway is told', async () => {
  const gateway = await Gateway.start((_, response, count) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('retry: 1\n\n');
    if (count === 2) response.write(`id: 5\nevent: message.sent\ndata: ${envelope('e5')}\n\n`);
  });
  const kurir = new Kurir({ baseUrl: gateway.baseUrl });
  const events = kurir.events({ idleTimeoutMs: 1_000, attempts: 3 });
  try {
    assert.equal((await events.next()).value?.id, '5');
    assert.equal(gateway.heard.length, 2);
  } finally {
    await gateway.close();
  }
  await assert.rejects(events.next(), { code: 'unreachable' });
});
