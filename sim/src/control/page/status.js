// The line at the top: how much there is of everything, and what should not have happened.

import { get } from './api.js';
import { byId, el, patch } from './dom.js';
import { Part } from './live.js';

// What is always worth a look, and what only once it happened.
const ALWAYS = [['accepted', 'accepted'], ['shown', 'shown on phones']];
const TROUBLE = [
  ['refused', 'refused'], ['duplicates', 'arrived again'], ['unreadable', 'unreadable'], ['overlaps', 'double logins'],
  ['counter_replays', 'reused keys'], ['overflowed', 'overflowed'],
];

async function look() {
  const [overview, counters] = await Promise.all([get('/overview'), get('/counters')]);
  const figures = [
    { label: 'devices connected', value: `${overview.connected.toLocaleString()} of ${overview.devices.toLocaleString()}` },
    ...ALWAYS.map(([key, label]) => ({ label, value: counters[key].toLocaleString() })),
    ...TROUBLE.filter(([key]) => counters[key] > 0).map(([key, label]) => ({ label, value: counters[key].toLocaleString(), trouble: true })),
  ];
  patch(byId('counters'), figures, (figure) => figure.label, ({ label, value, trouble }) => el('div', { class: trouble ? 'trouble' : '' },
    el('dt', {}, label), el('dd', {}, value)));
}

export function status() {
  const part = new Part(() => !document.hidden, () => true, look);
  get('/root-key').then((key) => { byId('websocket').textContent = key.websocket; }, () => {});
  return part;
}
