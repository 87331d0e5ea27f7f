// Linking a client: its code as text or as a picture, and the phone that scans it.

import { described, get, phonePath, post } from './api.js';
import { byId, el, notify, patch, run } from './dom.js';
import { digits, numberInput } from './forms.js';
import { Part } from './live.js';

/** The longer side of a picture that is sent: enough for the code in a screenshot. */
const LARGEST = 2400;
let part = null;
let picked = null;

/** A picture of any kind that the browser reads, as PNG in base64. */
async function asPng(blob) {
  const bitmap = await createImageBitmap(blob).catch(() => { throw new Error('This is not a picture that can be read.'); });
  const scale = Math.min(1, LARGEST / Math.max(bitmap.width, bitmap.height));
  const canvas = el('canvas', { width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)) });
  const draw = canvas.getContext('2d');
  draw.fillStyle = '#fff';
  draw.fillRect(0, 0, canvas.width, canvas.height);
  draw.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL('image/png').split(',')[1];
}

function say(text, bad = false) {
  const line = byId('code-state');
  line.textContent = text;
  line.className = bad ? 'error' : 'good';
}

/** Shows the simulator a code, so that its client can be picked. */
async function present(code) {
  const client = await post('/waiting', code);
  picked = client.id;
  say(`Read: the code of ${client.name || 'a client'}. Now choose the phone that scans it.`);
  await part.now();
  byId('scan-phone').focus();
}

async function takePicture(blob) {
  say('Reading the picture …');
  try { await present({ image: await asPng(blob) }); } catch (error) { say(error.message, true); }
}

async function takeText(text) {
  try { await present({ qr: text.trim() }); } catch (error) { say(error.message, true); }
}

const seconds = (millis) => `${Math.round(millis / 1000)} s`;

function row(client) {
  const id = `client-${client.id}`;
  return el('li', { class: 'card line' },
    el('div', {}, el('input', {
      type: 'radio', name: 'client', id, value: String(client.id), disabled: !client.seen, checked: client.id === picked, 'data-focus': 'pick',
      onchange: () => { picked = client.id; },
    }), el('label', { for: id }, ` ${client.name || 'A client without a name'}`),
    el('p', { class: 'note' }, client.seen ? 'Its code was read: it can be linked.' : 'Its code was not shown here yet.')),
    el('span', { class: 'note' }, client.times));
}

async function look() {
  show(await get('/waiting'));
}

function show(clients) {
  const count = byId('waiting-count');
  count.textContent = clients.length;
  count.hidden = clients.length === 0;
  count.setAttribute('aria-label', `${clients.length} waiting`);
  if (!clients.some((client) => client.id === picked)) picked = null;
  const seen = clients.filter((client) => client.seen);
  if (picked === null && seen.length === 1) picked = seen[0].id;
  const items = clients.map((client) => ({
    id: client.id, name: client.name, seen: client.seen, picked: client.id === picked,
    times: `waits ${seconds(client.waits_ms)}, code good for ${seconds(client.code_expires_in_ms)}`,
  }));
  patch(byId('waiting'), items, (client) => client.id, row);
  byId('none-waiting').hidden = clients.length > 0;
}

function scanForm() {
  const text = el('textarea', { id: 'code', rows: 3, spellcheck: 'false', autocomplete: 'off', 'aria-describedby': 'code-state code-hint' });
  const phone = numberInput({ id: 'scan-phone', name: 'phone', required: true });
  const file = el('input', { id: 'picture', type: 'file', accept: 'image/*', onchange: () => { if (file.files[0]) takePicture(file.files[0]); file.value = ''; } });
  const error = el('p', { class: 'error', role: 'alert' });
  const submit = el('button', { class: 'primary' }, 'Scan and link');
  const drop = el('div', { class: 'drop' },
    el('div', { class: 'field' }, el('label', { for: 'code' }, 'Text of the code'), text,
      el('p', { id: 'code-hint', class: 'hint' }, 'Paste the text here, or a picture anywhere on this page; a picture can also be dropped here.')),
    el('div', { class: 'field' }, el('label', { for: 'picture' }, 'Or a picture with the code'), file),
    el('p', { id: 'code-state', role: 'status' }));
  let typed = 0;
  text.addEventListener('input', () => {
    clearTimeout(typed);
    if (text.value.trim()) typed = setTimeout(() => { if (text.value.trim()) takeText(text.value); }, 300);
  });
  drop.addEventListener('dragover', (event) => { event.preventDefault(); drop.classList.add('over'); });
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  drop.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    const picture = [...event.dataTransfer.files].find((one) => one.type.startsWith('image/'));
    if (picture) takePicture(picture);
  });
  return el('form', {
    id: 'scan-form',
    onsubmit: (event) => {
      event.preventDefault();
      run(submit, async () => {
        clearTimeout(typed);
        const pasted = text.value.trim();
        const code = picked !== null ? { waiting: picked } : { qr: pasted };
        if (picked === null && !pasted) throw new Error('Give the code first: as text or as a picture.');
        const linked = await post('/scan', { ...code, phone: digits(phone.value) });
        picked = null;
        text.value = '';
        say('');
        notify(`Linked: device ${linked.device} of +${linked.account}.`);
        location.hash = `#/phones/${linked.account}`;
      }, error);
    },
  }, el('h3', {}, '1. The code that the client shows'), drop, el('h3', {}, '2. The phone that scans it'),
  el('div', { class: 'field' }, el('label', { for: 'scan-phone' }, 'Number'), phone), error, submit);
}

/** Linking by the code of eight characters that a client shows instead of a picture. */
async function typedForm(place) {
  const document = await described();
  if (!document.paths['/phones/{number}/pair-code']) return;
  const phone = numberInput({ id: 'typed-phone', required: true });
  const code = el('input', { id: 'typed-code', required: true, autocomplete: 'off', spellcheck: 'false', placeholder: 'ABCD-1234' });
  const error = el('p', { class: 'error', role: 'alert' });
  const submit = el('button', { class: 'primary' }, 'Type and link');
  place.append(el('section', { class: 'panel', 'aria-label': 'Linking by a typed code' }, el('h2', {}, 'Type a code instead'),
    el('form', {
      id: 'typed-form',
      onsubmit: (event) => {
        event.preventDefault();
        run(submit, async () => {
          const linked = await post(phonePath(digits(phone.value), '/pair-code'), { code: code.value.trim() });
          code.value = '';
          notify(`Linked: device ${linked.device} of +${linked.account}.`);
          window.location.hash = `#/phones/${linked.account}`;
        }, error);
      },
    }, el('p', { class: 'note' }, 'For a client that asked for a code for this number: its owner types the code on the phone.'),
    el('div', { class: 'field' }, el('label', { for: 'typed-phone' }, 'Number of the phone'), phone),
    el('div', { class: 'field' }, el('label', { for: 'typed-code' }, 'Code that the client shows'), code), error, submit)));
}

export function linkView(view) {
  const side = el('div', { class: 'stack' });
  view.append(el('div', { class: 'columns' },
    el('section', { class: 'panel' }, el('h2', { id: 'link-title' }, 'Link a client'), scanForm()), side));
  side.append(el('section', { class: 'panel', 'aria-label': 'Waiting clients' }, el('h2', {}, 'Clients that show a code now'),
      el('p', { class: 'note' }, 'A phone signs with a secret that is only in the code, so a client can be linked once its code was shown here.'),
      el('p', { id: 'none-waiting', class: 'note' }, 'None.'), el('ul', { id: 'waiting', class: 'plain' })));
  typedForm(side).catch(() => {});
  part = new Part(() => true, () => false, look);
  document.addEventListener('paste', (event) => {
    if (view.hidden) return;
    const picture = [...event.clipboardData.files].find((one) => one.type.startsWith('image/'));
    if (picture) { event.preventDefault(); takePicture(picture); }
  });
  // Only the times grow old by themselves.
  setInterval(() => { if (!view.hidden && !document.hidden) part.mark(); }, 1000);
  return { show: () => part.now(), changed: show };
}
