// The audit of a run, if this simulator makes one.

import { described, get } from './api.js';
import { byId, el, run } from './dom.js';

function show(value) {
  if (Array.isArray(value)) {
    if (value.length === 0) return el('span', { class: 'good' }, 'none');
    return el('ul', {}, ...value.slice(0, 200).map((one) => el('li', {}, show(one))), value.length > 200 ? el('li', {}, `… ${value.length - 200} more`) : null);
  }
  if (value && typeof value === 'object') {
    return el('dl', { class: 'table' }, ...Object.entries(value).flatMap(([name, one]) => [el('dt', {}, name.replaceAll('_', ' ')), el('dd', {}, show(one))]));
  }
  return document.createTextNode(value === null ? '—' : value.toLocaleString?.() ?? String(value));
}

export function auditView(view) {
  const result = el('div', { id: 'audit-result' });
  const again = el('button', { onclick: (event) => run(event.currentTarget, look) }, 'Look again');
  async function look() { result.replaceChildren(show(await get('/audit'))); }
  view.append(el('section', { class: 'panel' }, el('h2', { id: 'audit-title' }, 'Audit'),
    el('p', { class: 'note' }, 'What reached the phones in this run, and what should not have happened.'), again, result));
  described().then((document) => { byId('nav-audit').hidden = !document.paths['/audit']; }, () => {});
  return { show: () => look().catch((error) => result.replaceChildren(el('p', { class: 'error' }, error.message))) };
}
