// The audit of a run, if this simulator makes one.

import { described, get } from './api.js';
import { byId, el, plural, run, time } from './dom.js';

/** Entries of each list that are shown; the totals count all. */
const SHOWN = 200;
const TIMES = /(^|_)(at|deadline)$/;

function cell(name, value) {
  if (value === null || value === undefined) return '—';
  if (typeof value === 'number') return TIMES.test(name) ? time(value) : value.toLocaleString();
  if (typeof value === 'object') return 'account' in value ? `+${value.account} device ${value.device}` : JSON.stringify(value);
  return name === 'phone' ? el('a', { href: `#/phones/${value}` }, `+${value}`) : String(value);
}

function table(list) {
  const columns = [...new Set(list.flatMap((one) => Object.keys(one)))];
  return el('div', { class: 'wide', tabindex: '0', role: 'region', 'aria-label': 'Entries' }, el('table', {},
    el('thead', {}, el('tr', {}, ...columns.map((name) => el('th', { scope: 'col' }, name.replaceAll('_', ' '))))),
    el('tbody', {}, ...list.map((one) => el('tr', {}, ...columns.map((name) => el('td', {}, cell(name, one[name]))))))));
}

const title = (name) => name.replaceAll('_', ' ');

function show(audit) {
  const lists = Object.entries(audit).filter(([, value]) => Array.isArray(value));
  const maps = Object.entries(audit).filter(([name, value]) => name !== 'totals' && value && typeof value === 'object' && !Array.isArray(value));
  const verdict = audit.clean === undefined ? null : el('p', { class: audit.clean ? 'verdict good' : 'verdict bad' },
    audit.clean ? 'Clean: nothing happened that should not.' : 'Not clean: look at what is counted below.');
  const incomplete = audit.complete === false ? el('p', { class: 'error' }, 'The journal no longer holds the whole run.') : null;
  return [
    verdict, incomplete,
    el('p', { class: 'note' }, `Journal entries ${audit.after + 1} to ${audit.until}.`),
    el('dl', { class: 'table' }, ...Object.entries(audit.totals ?? {}).flatMap(([name, count]) => [
      el('dt', {}, title(name)), el('dd', { class: count > 0 && name !== 'arrived' ? 'bad' : '' }, cell('', count))])),
    ...lists.filter(([, list]) => list.length).map(([name, list]) => el('details', {},
      el('summary', {}, `${title(name)}: ${plural(list.length, 'entry', 'entries')}`), table(list))),
    ...maps.map(([name, map]) => el('details', {}, el('summary', {}, title(name)),
      table(Object.entries(map).map(([phone, counts]) => (typeof counts === 'object' ? { phone, ...counts } : { name: phone, count: counts }))))),
  ].filter(Boolean);
}

export function auditView(view) {
  const result = el('div', { id: 'audit-result', class: 'fields' });
  const again = el('button', { onclick: (event) => run(event.currentTarget, look) }, 'Look again');
  async function look() { result.replaceChildren(...show(await get(`/audit?limit=${SHOWN}`))); }
  view.append(el('section', { class: 'panel fields' }, el('div', { class: 'line' }, el('h2', { id: 'audit-title' }, 'Audit'), again),
    el('p', { class: 'note' }, 'What reached the phones in this run, and what should not have happened.'), result));
  described().then((document) => { byId('nav-audit').hidden = !document.paths['/audit']; }, () => {});
  return { show: () => look().catch((error) => result.replaceChildren(el('p', { class: 'error' }, error.message))) };
}
