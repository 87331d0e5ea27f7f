// The helpers: which session is meant, and what is known without waiting.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Kurir, KurirError, WhatsAppDesk, closeWhatsApp, configure, isSessionConnected } from '@kurir/client';

import { Gateway, type Heard, json, problem } from './gateway.js';

interface Known {
  id: string;
  name?: string;
  state: string;
  wanted: string;
  qr: boolean;
}

/** A gateway with sessions; the first one is the default. */
async function world(sessions: Known[]): Promise<{ gateway: Gateway; kurir: Kurir; sent: () => Heard[] }> {
  const gateway = await Gateway.start((heard, response) => {
    const url = new URL(heard.path, 'http://gateway');
    const [, , what, id, errand] = url.pathname.split('/');
    const known = sessions.find((session) => session.id === id);
    if (what === 'messages') {
      const { content } = JSON.parse(heard.body) as { content: { text: string } };
      const state = content.text === 'fail' ? { state: 'failed', reason: 'not_on_whatsapp' } : { state: 'sent' };
      json(response, 200, { id: 'm1', ...state });
    } else if (heard.method === 'POST' && id === undefined) {
      const made = { ...(JSON.parse(heard.body) as { id: string }), state: 'awaiting_scan', wanted: 'running', qr: true };
      sessions.push(made);
      json(response, 201, made);
    } else if (id === undefined) {
      const name = url.searchParams.get('name');
      json(response, 200, { sessions: sessions.filter((session) => name === null || session.name === name) });
    } else if (id === 'default' && sessions[0] !== undefined) {
      json(response, 200, sessions[0]);
    } else if (known === undefined) {
      json(response, 404, problem(404, 'not_found'));
    } else if (errand === 'qr') {
      json(response, 200, { text: 'code', terminal: '##', png: '', expires_at: '' });
    } else {
      if (errand === 'start') Object.assign(known, { wanted: 'running', state: 'connected' });
      json(response, 200, known);
    }
  });
  const kurir = new Kurir({ baseUrl: gateway.baseUrl, retries: 0 });
  return { gateway, kurir, sent: () => gateway.heard.filter((heard) => heard.path.startsWith('/v1/messages')) };
}

const marketing = (): Known => ({ id: 'm-1', name: 'Marketing', state: 'connected', wanted: 'running', qr: false });

test('a session is found by its name or its id, and none that is not there', async () => {
  const { gateway, kurir, sent } = await world([marketing()]);
  const desk = new WhatsAppDesk(kurir);
  try {
    await desk.sendWhatsAppMessage({ to: '+6281234567890', message: 'a' });
    await desk.sendWhatsAppMessage({ to: '+6281234567890', message: 'b', sessionName: 'Marketing' });
    await desk.sendWhatsAppMessageWithSession('m-1', '+6281234567890', 'c');
    const session = (heard: Heard): unknown => (JSON.parse(heard.body) as { session?: string }).session;
    assert.deepEqual(sent().map(session), [undefined, 'm-1', 'm-1']);
    assert.match(sent()[0]?.path ?? '', /wait=sent&timeout=10$/);
    await assert.rejects(desk.sendWhatsAppMessageWithSession('Sales', '+6281234567890', 'd'), { code: 'not_found', status: 404 });
    await assert.rejects(desk.getSessionStatus('No such one'), KurirError);
    assert.equal(sent().length, 3);
    await assert.rejects(desk.sendWhatsAppMessage({ to: '+6281234567890', message: 'fail' }), { code: 'not_on_whatsapp' });
    assert.deepEqual(await desk.getSessionStatus('Marketing'), {
      name: 'Marketing', sessionId: 'm-1', phoneNumber: null, isActive: true, isDefault: true, isConnected: true, status: 'connected', reason: null,
    });
  } finally {
    desk.close();
    await gateway.close();
  }
});

test('two sessions of one name are not guessed between', async () => {
  const { gateway, kurir, sent } = await world([marketing(), { ...marketing(), id: 'm-2' }]);
  const desk = new WhatsAppDesk(kurir);
  try {
    await assert.rejects(desk.sendWhatsAppMessageWithSession('Marketing', '+6281234567890', 'x'), { code: 'ambiguous', status: 409 });
    assert.equal(sent().length, 0);
  } finally {
    desk.close();
    await gateway.close();
  }
});

test('what is known without waiting is what was seen last, and follows', async () => {
  const sessions = [marketing(), { id: 'old', state: 'disconnected', wanted: 'stopped', qr: false }];
  const { gateway, kurir } = await world(sessions);
  const desk = new WhatsAppDesk(kurir, { refreshMs: 10 });
  try {
    assert.equal(desk.isSessionConnected('m-1'), false, 'nobody has looked yet');
    assert.equal((await desk.initializeAllSessions()).length, 2);
    assert.deepEqual([desk.isSessionConnected('m-1'), desk.isSessionConnected('Marketing'), desk.isSessionConnected('old')], [true, true, false]);
    assert.deepEqual(desk.getActiveSessionIds(), ['m-1']);
    assert.deepEqual((await desk.getActiveWhatsAppSessions()).map((session) => session.sessionId), ['m-1']);
    assert.equal((await desk.getDefaultWhatsAppSession())?.sessionId, 'm-1');
    Object.assign(sessions[0] as Known, { state: 'disconnected' });
    const late = Date.now() + 5_000;
    while (desk.isSessionConnected('m-1') && Date.now() < late) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(desk.isSessionConnected('m-1'), false, 'the view follows');
  } finally {
    desk.close();
    await gateway.close();
  }
});

test('a start makes the first session the default, shows its code, and finds one that is linked', async () => {
  const sessions: Known[] = [];
  const { gateway, kurir } = await world(sessions);
  const shown: string[] = [];
  const desk = new WhatsAppDesk(kurir, { onQr: (id, code) => shown.push(`${id} ${code.text}`) });
  try {
    assert.equal(await desk.getDefaultWhatsAppSession(), null);
    const made = await desk.startWhatsAppSession('customer_support');
    assert.deepEqual([made.isConnected, made.isDefault, shown], [false, true, ['customer_support code']]);
    const asked = gateway.heard.find((heard) => heard.method === 'POST');
    assert.deepEqual(JSON.parse(asked?.body ?? ''), { id: 'customer_support', start: true, default: true });
    Object.assign(sessions[0] as Known, { state: 'disconnected', wanted: 'stopped', qr: false });
    assert.equal((await desk.startWhatsAppSession('customer_support')).isConnected, true);
    assert.equal(desk.isSessionConnected('customer_support'), true);
    assert.equal(shown.length, 1);
  } finally {
    desk.close();
    await gateway.close();
  }
});

test('the functions tell when nobody has said where the gateway is', async () => {
  closeWhatsApp();
  delete process.env['KURIR_URL'];
  assert.throws(() => isSessionConnected('x'), /KURIR_URL/);
  const { gateway } = await world([marketing()]);
  try {
    configure({ baseUrl: gateway.baseUrl });
    assert.equal(isSessionConnected('m-1'), false);
  } finally {
    closeWhatsApp();
    await gateway.close();
  }
});
