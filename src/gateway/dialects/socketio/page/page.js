// The sessions, live: what the server has is read once a connection, and what happens after that comes as events.
/* global io, qrcode */

const $ = (id) => document.getElementById(id);
const base = new URL('.', location.href);
const cards = new Map();
const WORDS = {
  created: ['idle', 'Belum dimulai'],
  connecting: ['waiting', 'Menunggu QR code…'],
  qr: ['waiting', 'Pindai QR code'],
  linking: ['waiting', 'Menautkan perangkat…'],
  connected: ['connected', 'Terhubung'],
  disconnected: ['failed', 'Terputus, menghubungkan kembali…'],
  stopped: ['idle', 'Dihentikan'],
  logged_out: ['failed', 'Keluar dari WhatsApp'],
  qr_timeout: ['failed', 'Waktu QR code habis'],
  auth_failure: ['failed', 'Autentikasi gagal'],
  banned: ['failed', 'Diblokir oleh WhatsApp'],
};
const LOST = { LOGOUT: 'logged_out', STOPPED: 'stopped', BANNED: 'banned', OUTDATED: 'auth_failure' };

// A key in the address is taken out of it, so that it is neither seen nor kept in the history.
const given = new URLSearchParams(location.search).get('key');
if (given) {
  sessionStorage.setItem('kurir-key', given);
  history.replaceState(null, '', location.pathname);
}
const key = () => sessionStorage.getItem('kurir-key') ?? '';

function say(text, failed = false) {
  $('word').dataset.state = failed ? 'failed' : 'done';
  $('word').textContent = text;
}

function line(state, text) {
  $('line').dataset.state = state;
  $('line').textContent = text;
}

function lock() {
  $('unlock').hidden = false;
  $('create').hidden = true;
  line('lost', key() ? 'API key ditolak' : 'API key diperlukan');
}

async function ask(method, path, body) {
  const headers = { Accept: 'application/json' };
  if (key()) headers['X-API-Key'] = key();
  if (body) headers['Content-Type'] = 'application/json';
  const response = await fetch(new URL(path, base), { method, headers, cache: 'no-store', body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (response.status === 401) lock();
  if (!response.ok) throw new Error(answer.message ?? 'Permintaan gagal');
  return answer;
}

// Draws a code with the quiet margin that cameras need, at whole pixels of the canvas.
function draw(canvas, text) {
  const code = qrcode(0, 'L');
  code.addData(text, 'Byte');
  code.make();
  const count = code.getModuleCount();
  const cell = Math.max(4, Math.ceil(600 / (count + 8)));
  canvas.width = canvas.height = (count + 8) * cell;
  const paper = canvas.getContext('2d');
  paper.fillStyle = '#fff';
  paper.fillRect(0, 0, canvas.width, canvas.height);
  paper.fillStyle = '#000';
  for (let row = 0; row < count; row += 1) {
    for (let column = 0; column < count; column += 1) {
      if (code.isDark(row, column)) paper.fillRect((column + 4) * cell, (row + 4) * cell, cell, cell);
    }
  }
}

// The state of a card, with the code while there is one to scan. What names are called is text and never markup.
function show(id, status, more = {}) {
  const card = cards.get(id);
  if (!card) return;
  card.changed = performance.now();
  const [kind, word] = WORDS[status] ?? ['idle', status];
  const shown = card.part('state');
  if (card.status !== status) shown.textContent = word;
  shown.dataset.state = kind;
  card.status = status;
  if (more.phoneNumber !== undefined) card.number = more.phoneNumber;
  card.part('detail').textContent = [`ID: ${id}`, status === 'connected' && card.number ? `Nomor: +${card.number}` : '', more.message ?? '']
    .filter(Boolean).join(' · ');
  const scan = card.part('scan');
  const canvas = scan.querySelector('canvas');
  scan.hidden = status !== 'qr';
  if (status === 'qr' && more.qr) draw(canvas, more.qr);
  // A code that is not shown any more is not kept either.
  if (scan.hidden) canvas.width = canvas.height = 0;
  const rests = ['created', 'stopped', 'logged_out', 'qr_timeout', 'auth_failure', 'banned'].includes(status);
  card.action('start').hidden = !rests;
  card.action('stop').hidden = rests;
}

// A session as a list told of it that was asked for at this moment; an event that came later knows better.
function add({ sessionId: id, name, status, phoneNumber }, asked = performance.now()) {
  if (!cards.has(id)) {
    const element = $('card').content.firstElementChild.cloneNode(true);
    const card = {
      element,
      part: (name) => element.querySelector(`.${name}`),
      action: (name) => element.querySelector(`[data-do="${name}"]`),
    };
    card.part('name').textContent = name;
    element.querySelector('canvas').setAttribute('aria-label', `QR code session ${name}`);
    for (const button of element.querySelectorAll('[data-do]')) {
      button.setAttribute('aria-label', `${button.textContent} ${name}`);
      button.addEventListener('click', () => act(id, name, button));
    }
    cards.set(id, card);
    $('sessions').append(element);
  }
  // The code itself comes over the socket only, and what it has drawn stays until the next event.
  const card = cards.get(id);
  const drawn = card.status === 'qr' && status === 'qr';
  if (!drawn && !(card.changed > asked)) show(id, status === 'qr' ? 'connecting' : status, { phoneNumber });
  $('none').hidden = cards.size > 0;
}

function drop(id) {
  const card = cards.get(id);
  if (!card) return;
  const focused = card.element.contains(document.activeElement);
  card.element.remove();
  cards.delete(id);
  $('none').hidden = cards.size > 0;
  if (focused) $('list-title').focus();
}

function confirmed(title, text, yes) {
  $('sure-title').textContent = title;
  $('sure-text').textContent = text;
  $('sure-yes').textContent = yes;
  const dialog = $('sure');
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener('close', () => done(dialog.returnValue === 'yes'), { once: true });
  });
}

const QUESTIONS = {
  stop: (name) => confirmed('Hentikan session?', `Session ${name} tidak dapat mengirim pesan sampai dimulai lagi.`, 'Ya, hentikan'),
  remove: (name) => confirmed('Hapus session?', `Session ${name} akan dikeluarkan dari WhatsApp dan dihapus.`, 'Ya, hapus'),
};

async function act(id, name, button) {
  const action = button.dataset.do;
  if (QUESTIONS[action] && !(await QUESTIONS[action](name))) return;
  button.disabled = true;
  try {
    if (action === 'start') show(id, 'connecting');
    const path = `api/sessions/${encodeURIComponent(id)}`;
    const answer = action === 'remove' ? await ask('DELETE', path) : await ask('POST', `${path}/${action}`);
    say(answer.message);
    if (action === 'remove') {
      drop(id);
      $('list-title').focus();
    }
    if (action === 'stop') show(id, 'stopped');
  } catch (error) {
    say(error.message, true);
    await refresh();
  } finally {
    button.disabled = false;
    if (button.hidden && cards.has(id)) cards.get(id).part('name').focus();
  }
}

async function refresh() {
  const asked = performance.now();
  try {
    const { sessions } = await ask('GET', 'api/sessions');
    const there = new Set(sessions.map((session) => session.sessionId));
    for (const id of [...cards.keys()]) if (!there.has(id)) drop(id);
    for (const session of sessions) add(session, asked);
  } catch (error) {
    say(error.message, true);
  }
}

// Something of a session that this page has not seen yet: it was made elsewhere.
async function known(id) {
  if (!cards.has(id)) await refresh();
}

const socket = io({ path: new URL('socket.io', base).pathname, auth: (give) => give(key() ? { key: key() } : {}), autoConnect: false });
socket.on('connect', async () => {
  line('live', 'Terhubung ke server');
  $('unlock').hidden = true;
  $('create').hidden = false;
  await refresh();
});
socket.on('disconnect', (reason) => {
  line('lost', 'Koneksi ke server terputus, mencoba lagi…');
  // A server that sends a socket away leaves it to the client to come back.
  if (reason === 'io server disconnect') setTimeout(() => socket.connect(), 2000);
});
socket.on('connect_error', (error) => {
  // An answer of the server is its last word; everything else is tried again by the client itself.
  if (socket.active) return line('lost', 'Server tidak dapat dihubungi, mencoba lagi…');
  line('lost', error.message);
  if (/API key/.test(error.message)) return lock();
  return setTimeout(() => socket.connect(), 5000);
});
const events = {
  created: () => {},
  qr: ({ sessionId, qr }) => show(sessionId, 'qr', { qr }),
  authenticated: ({ sessionId }) => show(sessionId, 'linking'),
  ready: ({ sessionId, phoneNumber }) => show(sessionId, 'connected', { phoneNumber }),
  auth_failure: ({ sessionId, message }) => show(sessionId, 'auth_failure', { message }),
  qr_timeout: ({ sessionId, message }) => show(sessionId, 'qr_timeout', { message }),
  disconnected: ({ sessionId, reason }) => {
    if (reason === 'DELETED') return drop(sessionId);
    // Why WhatsApp refuses it was told just before.
    if (reason === 'OUTDATED') return undefined;
    return show(sessionId, LOST[reason] ?? 'disconnected');
  },
};
for (const [name, happens] of Object.entries(events)) {
  socket.on(name, async (data) => {
    if (!(name === 'disconnected' && data.reason === 'DELETED')) await known(data.sessionId);
    happens(data);
  });
}

$('create').addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.target.querySelector('button');
  button.disabled = true;
  try {
    const { session } = await ask('POST', 'api/sessions', { name: $('name').value });
    add(session);
    $('name').value = '';
    show(session.sessionId, 'connecting');
    const started = await ask('POST', `api/sessions/${encodeURIComponent(session.sessionId)}/start`);
    say(started.message);
  } catch (error) {
    say(error.message, true);
  } finally {
    button.disabled = false;
  }
});
$('unlock').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem('kurir-key', $('key').value);
  $('key').value = '';
  socket.disconnect().connect();
});
socket.connect();
