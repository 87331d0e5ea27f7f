// The end of the journal, as it is written.

import { get } from './api.js';
import { byId, el, time } from './dom.js';
import { onEntry } from './live.js';

const KEPT = 2000;
const SHOWN = 300;
const entries = [];
let dirty = false;

const address = (value) => (value && typeof value === 'object' && 'account' in value
  ? `+${value.account}${value.device ? ` device ${value.device}` : ''}` : null);

/** An entry in words: its fields in the order in which they came. */
function fieldsOf(entry) {
  return Object.entries(entry)
    .filter(([name, value]) => !['seq', 'at', 'event'].includes(name) && value !== null)
    .map(([name, value]) => {
      const numbers = ['phone', 'to', 'account'].includes(name) && typeof value === 'string';
      return [name.replaceAll('_', ' '), address(value) ?? (numbers ? `+${value}` : typeof value === 'object' ? JSON.stringify(value) : String(value))];
    });
}

function row(entry) {
  return el('li', { class: 'entry', 'data-event': entry.event },
    el('span', { class: 'seq' }, String(entry.seq)), time(entry.at),
    el('strong', {}, entry.event.replaceAll('_', ' ')),
    el('span', {}, ...fieldsOf(entry).flatMap(([name, value]) => [el('span', { class: 'note' }, `${name} `), `${value}  `])));
}

function draw() {
  dirty = false;
  const words = byId('journal-filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  const kind = byId('journal-kind').value;
  const fits = (entry) => (!kind || entry.event === kind)
    && words.every((word) => `${entry.event} ${JSON.stringify(entry)}`.toLowerCase().includes(word.replace(/^\+/, '')));
  const shown = [];
  for (let at = entries.length - 1; at >= 0 && shown.length < SHOWN; at -= 1) if (fits(entries[at])) shown.push(entries[at]);
  byId('entries').replaceChildren(...shown.map(row));
  byId('journal-shown').textContent = shown.length
    ? `${shown.length.toLocaleString()} of the last ${entries.length.toLocaleString()} entries, newest first` : 'Nothing fits.';
  const known = new Set([...byId('journal-kind').options].map((option) => option.value));
  for (const event of new Set(entries.map((entry) => entry.event))) {
    if (!known.has(event)) byId('journal-kind').append(el('option', { value: event }, event.replaceAll('_', ' ')));
  }
}

function mark() {
  const view = byId('view-journal');
  if (dirty || view.hidden || byId('journal-pause').checked) return;
  dirty = true;
  setTimeout(draw, 250);
}

function take(entry) {
  if (entries.length && entry.seq <= entries.at(-1).seq) return;
  entries.push(entry);
  if (entries.length > KEPT * 1.5) entries.splice(0, entries.length - KEPT);
  mark();
}

export function journalView(view) {
  view.append(el('section', { class: 'panel' }, el('h2', { id: 'journal-title' }, 'Journal'),
    el('div', { class: 'tools' },
      el('input', { id: 'journal-filter', type: 'search', placeholder: 'Filter: a number, a message id, a word', 'aria-label': 'Filter the journal', oninput: draw }),
      el('select', { id: 'journal-kind', 'aria-label': 'Which events', onchange: draw }, el('option', { value: '' }, 'All events')),
      el('label', { class: 'inline' }, el('input', { id: 'journal-pause', type: 'checkbox', onchange: draw }), 'Hold still')),
    el('p', { id: 'journal-shown', class: 'note' }),
    el('ol', { id: 'entries', class: 'entries', tabindex: '0', 'aria-label': 'Journal entries' })));
  onEntry(take);
  return {
    show: draw,
    async begin(last) {
      for (const entry of await get(`/journal?after=${Math.max(0, last - 300)}&limit=300`)) take(entry);
    },
  };
}
