// The list of phones, and which one is chosen.

import { getCounted, get } from './api.js';
import { byId, el, plural } from './dom.js';
import { Part } from './live.js';
import { choose, openPhone } from './phone.js';
import { Rows } from './rows.js';

const HEIGHT = 60;
let rows = null;
let chosen = null;

const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== '')).toString();

/** Fetches part of the list in the chosen order. */
async function fetchPart(offset, limit) {
  const search = byId('search').value.replace(/\D/g, '');
  if (byId('which').value === 'linked') return getCounted(`/accounts?${query({ offset, limit, search })}`);
  const { phones, total } = await get(`/phones?${query({ offset, limit, search, order: byId('which').value })}`);
  return { items: phones, total };
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false });

function dots(devices) {
  return devices.map((device) => el('span', {
    class: device.connected ? 'dot good' : 'dot', title: `device ${device.id}: ${device.connected ? 'connected' : 'not connected'}`,
  }));
}

function row(item) {
  const current = item.number === chosen;
  const devices = item.devices;
  const connected = devices?.filter((device) => device.connected).length;
  const waiting = devices?.reduce((sum, device) => sum + device.waiting, 0);
  const second = devices
    ? `${plural(devices.length, 'linked device', 'linked devices')}, ${connected} connected${waiting ? `, ${waiting} waiting` : ''}`
    : item.last_text ?? 'not a text';
  const right = devices ? el('span', { class: 'dots' }, ...dots(devices))
    : el('span', { class: 'note' }, clock.format(new Date(item.last_at)));
  return el('li', { class: 'row' }, el('a', { href: `#/phones/${item.number}`, 'aria-current': current ? 'true' : null },
    el('span', { class: 'number' }, `+${item.number}`, item.banned ? el('span', { class: 'tag bad' }, 'banned') : null,
      item.repeated ? el('span', { class: 'tag bad', title: 'Messages that arrived more than once' }, `${item.repeated} repeated`) : null),
    right, el('span', { class: 'preview' }, second),
    devices ? null : el('span', { class: 'note tally', title: 'messages' }, String(item.messages + item.sent))));
}

function describeList() {
  const search = byId('search').value.replace(/\D/g, '');
  const linked = byId('which').value === 'linked';
  const line = byId('shown');
  // A link in it may have the focus: it is made anew only when it says something else.
  const content = JSON.stringify([search, linked, rows.total]);
  if (line.dataset.content === content) return;
  line.dataset.content = content;
  if (rows.total === 0 && !search) {
    line.replaceChildren('No phone has anything to show yet. ', el('a', { href: '#/link' }, 'Link a client'), ' or search for a number and write from it.');
    return;
  }
  const what = linked ? ['phone with linked devices', 'phones with linked devices'] : ['phone with messages', 'phones with messages'];
  const exact = search.length >= 5 && search.length <= 15 && !search.startsWith('0');
  line.replaceChildren(`${plural(rows.total, ...what)}${search ? ` for ${search}` : ''}`,
    ...(exact ? [' · ', el('a', { href: `#/phones/${search}` }, `open +${search}`)] : []));
}

/** Rows that were drawn for another choice are drawn anew. */
function mark(number) {
  chosen = number;
  for (const link of byId('rows').querySelectorAll('a')) {
    if (link.getAttribute('href') === `#/phones/${number}`) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }
}

export function phonesView() {
  rows = new Rows(byId('rows'), HEIGHT, fetchPart, row, describeList);
  const part = new Part(() => !byId('view-phones').hidden,
    (entry) => ['arrived', 'written', 'accepted', 'linked', 'logged_out', 'connected', 'disconnected', 'fault_set'].includes(entry.event),
    () => rows.refresh());
  const restart = () => rows.restart().catch(() => part.mark());
  let typing = 0;
  byId('search').addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(restart, 150); });
  byId('search').addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') { event.preventDefault(); byId('rows').querySelector('a')?.focus(); }
  });
  byId('which').addEventListener('change', restart);
  byId('rows').addEventListener('keydown', (event) => {
    const step = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[event.key];
    const next = step && document.activeElement.closest('li')?.[step]?.querySelector('a');
    if (next) { event.preventDefault(); next.focus(); }
  });
  openPhone();
  return {
    show(number) {
      mark(number);
      choose(number);
      byId('view-phones').classList.toggle('chosen', Boolean(number));
      part.now();
    },
  };
}
