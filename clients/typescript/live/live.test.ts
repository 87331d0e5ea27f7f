// Against a gateway that runs, with simulated phones: KURIR_URL, KURIR_API_KEY, and KURIR_TEST_PHONES, the simulator's address.
// tests/typescript starts them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Kurir, KurirError, closeWhatsApp } from '@kurir/client';

const given = (name: string): string => {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: run this by \`cargo test --test typescript\``);
  return value;
};

const kurir = new Kurir({ baseUrl: given('KURIR_URL'), apiKey: given('KURIR_API_KEY') });
const phones = given('KURIR_TEST_PHONES').replace(/\/$/, '');
const PATIENCE_MS = 60_000;

/** Asks until the answer is what is waited for. */
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const late = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
    assert.ok(Date.now() < late, `no ${what} within ${PATIENCE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function scan(picture: string, phone: string): Promise<void> {
  const image = picture.replace('data:image/png;base64,', '');
  const body = JSON.stringify({ image, phone });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${phones}/scan`, { method: 'POST', headers, body });
  assert.equal(answer.status, 200, await answer.text());
}

async function inbox(number: string): Promise<string[]> {
  const answer = await fetch(`${phones}/phones/${number}/inbox`);
  const messages: unknown = answer.ok ? await answer.json() : [];
  return Array.isArray(messages) ? messages.map((message: { text?: string }) => message.text ?? '') : [];
}

const shows = (number: string, text: string): Promise<true> =>
  until(`${JSON.stringify(text)} on ${number}`, async () => ((await inbox(number)).includes(text) ? true : undefined));

/** Links a session as a person does: makes it, scans its picture, waits until it is connected. */
async function link(id: string, name: string, phone: string): Promise<void> {
  await kurir.sessions.create({ id, name, default: id === 'dudulurun_main' });
  const code = await until('QR code', async () => {
    const session = await kurir.sessions.get(id);
    return session.qr ? kurir.sessions.qr(id) : undefined;
  });
  await scan(code.png, phone);
  await until('connection', async () => ((await kurir.sessions.get(id)).state === 'connected' ? true : undefined));
}

before(async () => {
  await link('dudulurun_main', 'DUDULURUN WhatsApp', '6281100000091');
  await link('marketing', 'Marketing', '6281100000092');
  await link('customer_support', 'Customer Support', '6281100000093');
});

after(() => closeWhatsApp());

test('the lines of programs for one session run as they are', async () => {
  await import('./seed/default.js');
  await import('./seed/named.js');
  for (const text of ['Hello from default session!', 'Hello from marketing session!', 'Hello from support!']) {
    await shows('6281234567890', text);
  }
  assert.equal((await inbox('6281234567890')).length, 3, 'each once');

  const managed = await import('./seed/manage.js');
  assert.equal(managed.connected, true);
  assert.deepEqual(managed.activeIds, ['customer_support', 'dudulurun_main', 'marketing']);
  assert.deepEqual([managed.status.sessionId, managed.status.isConnected], ['customer_support', true]);

  const listed = await import('./seed/list.js');
  assert.equal(listed.sessions.length, 3);
  assert.equal(listed.defaultSession?.sessionId, 'dudulurun_main');
  assert.equal(listed.defaultSession?.name, 'DUDULURUN WhatsApp');
});

test('events tell of a message, and the stream can be gone on with', async () => {
  const stop = AbortSignal.timeout(PATIENCE_MS);
  const events = kurir.events({ types: ['message.*'], session: 'marketing', signal: stop });
  const first = events.next();
  // The stream tells what happens from its beginning on: ask until something came.
  const sent = await kurir.messages.sendText('+6281234567891', 'satu', { session: 'marketing', wait: 'sent', timeoutSeconds: 10 });
  assert.equal(sent.state, 'sent');
  const again = setInterval(() => void kurir.messages.sendText('+6281234567891', 'lagi', { session: 'marketing' }), 1_000);
  const heard = await first;
  clearInterval(again);
  assert.ok(!heard.done && heard.value.event, 'an event');
  await events.return();
  const last = heard.value.id;
  const rest: string[] = [];
  for await (const event of kurir.events({ types: ['message.*'], lastEventId: last, follow: false })) rest.push(event.id);
  assert.ok(rest.every((id) => Number(id) > Number(last)), `${rest.join()} follow ${last}`);
});

test('a verification is sent, its code is good once, and a second one within a minute is told when to come back', async () => {
  const to = '+6281234567892';
  const made = await kurir.verifications.create({ to, session: 'customer_support', text: 'Kode: {code}' });
  const code = await until('code', async () => (await inbox('6281234567892')).map((text) => /Kode: (\S+)/.exec(text)?.[1]).find(Boolean));
  assert.equal((await kurir.verifications.check(made.id, '000000' === code ? '111111' : '000000')).valid, false);
  assert.equal((await kurir.verifications.checkNumber(to, code)).valid, true);
});

test('refusals are told as they are', async () => {
  await assert.rejects(kurir.sessions.get('no-such-session'), { code: 'not_found', status: 404 });
  await assert.rejects(kurir.messages.sendText('not a number', 'x', { session: 'marketing' }), (error) => {
    assert.ok(error instanceof KurirError);
    assert.equal(error.status, 422);
    assert.equal(error.problem?.field, 'to');
    return true;
  });
  const stranger = new Kurir({ baseUrl: given('KURIR_URL'), apiKey: 'not-a-key' });
  await assert.rejects(stranger.sessions.list(), { status: 401 });
});

test('a send that is repeated under its name is one message', async () => {
  const name = 'order-77';
  const send = () => kurir.messages.sendText('+6281234567893', 'sekali', { session: 'marketing', idempotencyKey: name });
  const [first, second] = [await send(), await send()];
  assert.equal(first.id, second.id);
  await shows('6281234567893', 'sekali');
});

test('keys and templates', async () => {
  const made = await kurir.keys.create({ label: 'a test', scopes: ['read'] });
  const reader = new Kurir({ baseUrl: given('KURIR_URL'), apiKey: made.key });
  assert.equal((await reader.sessions.list()).sessions.length, 3);
  await assert.rejects(reader.messages.sendText('+6281234567893', 'x'), { status: 403 });
  await kurir.keys.revoke(made.id);
  const { keys } = await kurir.keys.list();
  assert.ok(keys.every((key) => !JSON.stringify(key).includes(made.key)));
});
