// One phone: its linked devices, its screen, and what its owner can do.

import { actions, ofPhone } from './actions.js';
import { described, get, phonePath, post, put } from './api.js';
import { byId, el, notify, patch, plural, run } from './dom.js';
import { prepare } from './faults.js';
import { digits, fields, numberInput } from './forms.js';
import { Part } from './live.js';
import { Screen } from './screen.js';

let number = null;
let part = null;
let screen = null;

function device(account, one) {
  const act = (path, body, done) => (event) => run(event.currentTarget, async () => {
    await post(path, body);
    notify(done);
    part.mark();
  });
  const name = `device ${one.id} of +${account.number}`;
  return el('li', { class: 'card line' },
    el('div', {},
      el('span', { class: one.connected ? 'dot good' : 'dot' }), el('strong', {}, ` Device ${one.id} `),
      el('span', { class: one.connected ? 'good' : 'note' }, one.connected ? 'connected' : 'not connected'),
      el('p', { class: 'note' }, one.name ? `${one.name} · ` : '', `${plural(one.waiting, 'stanza', 'stanzas')} waiting · `,
        `${plural(one.one_time_keys, 'one-time key', 'one-time keys')}`)),
    el('div', { class: 'actions' },
      el('button', { 'data-focus': 'cut', 'aria-label': `Cut the connection of ${name}`, disabled: !one.connected,
        onclick: act('/connections/drop', { account: account.number, device: one.id }, `The connection of ${name} is cut.`) }, 'Cut'),
      el('button', { 'data-focus': 'fault', 'aria-label': `A fault for ${name}`,
        onclick: () => prepare('stream_error', { account: account.number, device: one.id, code: 503 }) }, 'Fault…'),
      el('button', { 'data-focus': 'logout', 'aria-label': `Log out ${name}`,
        onclick: act(phonePathOf(account.number, one.id), undefined, `Logged out: ${name}.`) }, 'Log out')));
}

const phonePathOf = (account, id) => `/accounts/${encodeURIComponent(account)}/devices/${id}/logout`;

async function look() {
  if (!number) return;
  const asked = number;
  const [accounts] = await Promise.all([get(`/accounts?search=${asked}&limit=20`), screen.refresh()]);
  if (asked !== number) return;
  const account = accounts.find((one) => one.number === asked) ?? { number: asked, devices: [], banned: false };
  byId('banned').hidden = !account.banned;
  byId('lid').textContent = account.lid ? `LID ${account.lid}` : '';
  patch(byId('devices'), account.devices, (one) => one.id, (one) => device(account, one));
  byId('no-devices').hidden = account.devices.length > 0;
}

function compose() {
  const to = numberInput({ id: 'write-to', name: 'to', required: true });
  const text = el('textarea', { id: 'write-text', name: 'text', rows: 2, required: true });
  const error = el('p', { class: 'error', role: 'alert' });
  const send = el('button', { class: 'primary' }, 'Send');
  text.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.currentTarget.form.requestSubmit();
  });
  return el('form', {
    class: 'compose', 'aria-label': 'Write from this phone',
    onsubmit: (event) => {
      event.preventDefault();
      run(send, async () => {
        await post(phonePath(number, '/send'), { to: digits(to.value), text: text.value });
        text.value = '';
        part.mark();
      }, error);
    },
  }, el('div', { class: 'field' }, el('label', { for: 'write-to' }, 'Write to'), to),
  el('div', { class: 'field grow' }, el('label', { for: 'write-text' }, 'Text'), text), send, error);
}

async function behaviour(place) {
  const document = await described();
  const schema = document.components.schemas.PhoneBehaviour;
  const form = fields(document, schema.properties ?? {}, []);
  form.write(await get(phonePath(number, '/behaviour')));
  const error = el('p', { class: 'error', role: 'alert' });
  const save = el('button', { class: 'primary' }, 'Behave so');
  place.replaceChildren(el('form', {
    onsubmit: (event) => {
      event.preventDefault();
      run(save, async () => { await put(phonePath(number), form.read()); notify('The phone behaves so from now on.'); }, error);
    },
  }, form.node, error, save));
}

/** Shows the phone of a number, or none. */
export function choose(chosen) {
  if (chosen === number) return;
  number = chosen ?? null;
  const place = byId('phone');
  if (!number) {
    place.replaceChildren(el('p', { class: 'note empty' }, 'Choose a phone to see its screen.'));
    return;
  }
  const conversation = el('div', { id: 'screen', class: 'screen', role: 'log', 'aria-label': `Messages of +${number}`, tabindex: '0' });
  screen = new Screen(number, conversation);
  const folded = (title, fill) => {
    const slot = el('div');
    const open = (event) => { if (event.currentTarget.open) fill(slot).catch((error) => notify(error.message, true)); };
    return el('details', { ontoggle: open }, el('summary', {}, title), slot);
  };
  place.replaceChildren(
    el('header', { class: 'phone-head' }, el('a', { href: '#/phones', class: 'back' }, '‹ All phones'),
      el('h2', { tabindex: '-1' }, `+${number}`), el('span', { id: 'banned', class: 'tag bad', hidden: true }, 'banned'), el('span', { id: 'lid', class: 'note' })),
    el('section', { 'aria-label': 'Linked devices' }, el('h3', {}, 'Linked devices'),
      el('p', { id: 'no-devices', class: 'note', hidden: true }, 'None. ', el('a', { href: '#/link' }, 'Link a client')),
      el('ul', { id: 'devices', class: 'plain' })),
    el('section', { class: 'messages', 'aria-label': 'Messages' }, el('h3', {}, 'Messages'), conversation, compose()),
    folded('How this phone behaves', behaviour),
    folded('What else its owner can do', async (slot) => slot.replaceChildren(await actions(ofPhone, chosen, () => part.mark()))));
  part.now();
}

const OWN = new Set(['phone', 'to', 'from', 'device', 'account']);

/** Whether an entry of the journal speaks of the shown phone. */
function concerns(entry) {
  if (entry.event === 'fault_set') return true;
  return Object.entries(entry).some(([name, value]) => OWN.has(name) && (value === number || value?.account === number));
}

export function openPhone() {
  part = new Part(() => !byId('view-phones').hidden && Boolean(number), concerns, look);
}
