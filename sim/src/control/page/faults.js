// Faults: those in force, and a form for each kind there is.

import { actions, ofFaults } from './actions.js';
import { described, get, post, remove } from './api.js';
import { byId, el, notify, patch, run } from './dom.js';
import { fields, plainText, variants } from './forms.js';
import { Part } from './live.js';

let part = null;
let choose = () => {};

/** What a fault says beside its kind, in words. */
const sentence = (fault) => Object.entries(fault)
  .filter(([name, value]) => name !== 'kind' && value !== null && value !== undefined && value !== false)
  .map(([name, value]) => `${name.replaceAll('_', ' ')} ${typeof value === 'object' ? `(${sentence(value)})` : String(value).replaceAll('_', ' ')}`)
  .join(', ');

function row({ id, fault }) {
  const clear = el('button', {
    'data-focus': 'clear', 'aria-label': `Clear fault ${id}`,
    onclick: (event) => run(event.currentTarget, async () => {
      await remove(`/faults/${id}`);
      part.mark();
      byId('in-force').closest('section').querySelector('h2').focus();
    }),
  }, 'Clear');
  return el('li', { class: 'card line' },
    el('div', {}, el('strong', {}, fault.kind.replaceAll('_', ' ')), el('p', { class: 'note' }, sentence(fault) || 'every message')), clear);
}

async function look() {
  const faults = await get('/faults');
  patch(byId('in-force'), faults, (fault) => fault.id, row);
  byId('no-faults').hidden = faults.length > 0;
  const count = byId('fault-count');
  count.textContent = faults.length;
  count.hidden = faults.length === 0;
}

/** Opens the form of a kind with some fields filled in. */
export function prepare(kind, values) {
  location.hash = '#/faults';
  choose(kind, values);
}

async function form(place) {
  const document = await described();
  const kinds = variants(document, document.components.schemas.Fault, 'kind');
  const select = el('select', { id: 'kind', name: 'kind' }, ...kinds.map((kind) => el('option', { value: kind.name }, kind.title)));
  const about = el('p', { class: 'note', id: 'kind-about' });
  select.setAttribute('aria-describedby', 'kind-about');
  const slot = el('div');
  const error = el('p', { class: 'error', role: 'alert' });
  let current = null;
  choose = (name, values = {}) => {
    const kind = kinds.find((one) => one.name === name) ?? kinds[0];
    select.value = kind.name;
    about.textContent = plainText(kind.description ?? '');
    current = { kind, fields: fields(document, kind.properties, kind.required) };
    current.fields.write(values);
    slot.replaceChildren(current.fields.node);
  };
  select.addEventListener('change', () => choose(select.value));
  const submit = el('button', { class: 'primary' }, 'Let it happen');
  place.append(el('form', {
    id: 'fault-form',
    onsubmit: (event) => {
      event.preventDefault();
      run(submit, async () => {
        const { id } = await post('/faults', { kind: current.kind.name, ...current.fields.read() });
        notify(id === null ? `${current.kind.title}: it happened.` : `${current.kind.title}: in force, number ${id}.`);
        part.mark();
      }, error);
    },
  }, el('div', { class: 'field' }, el('label', { for: 'kind' }, 'What goes wrong'), select, about), slot, error, submit));
  choose(kinds[0]?.name);
}

export function faultsView(view) {
  const forms = el('section', { class: 'panel', 'aria-label': 'A new fault' }, el('h2', { id: 'faults-title' }, 'Let something go wrong'));
  const list = el('section', { class: 'panel' }, el('h2', { tabindex: '-1' }, 'Faults in force'),
    el('p', { class: 'note', id: 'no-faults' }, 'None: everything works.'), el('ul', { id: 'in-force', class: 'plain' }));
  const more = el('section', { class: 'panel', hidden: true }, el('h2', {}, 'Scenarios and restarts'));
  view.append(el('div', { class: 'columns' }, forms, el('div', { class: 'stack' }, list, more)));
  described().then(async (document) => {
    if (!Object.keys(document.paths).some(ofFaults)) return;
    more.append(await actions(ofFaults, null, () => part.mark()));
    more.hidden = false;
  }, () => {});
  // Always looked at, because the navigation shows how many there are.
  part = new Part(() => true, (entry) => ['fault_set', 'refused'].includes(entry.event), look);
  const ready = form(forms);
  return { show: () => part.now(), ready };
}
