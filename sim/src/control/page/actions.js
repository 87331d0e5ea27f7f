// Everything else that the owner of a phone can do, as the OpenAPI document has it.

import { described, post, put, remove } from './api.js';
import { el, notify, run } from './dom.js';
import { fields, follow } from './forms.js';

const CALLS = { post, put, delete: remove };
// These have their own place on the page.
const ELSEWHERE = new Set(['/phones/{number}/send', '/accounts/{number}/devices/{device}/logout']);
const AREAS = ['/phones/{number}/', '/accounts/{number}/'];

function operations(document) {
  return Object.entries(document.paths).filter(([path]) => AREAS.some((area) => path.startsWith(area)) && !ELSEWHERE.has(path))
    .flatMap(([path, item]) => Object.entries(item).filter(([method]) => method in CALLS)
      .map(([method, spec]) => ({ path, method, spec, id: spec.operationId, title: spec.summary.replace(/\.$/, '') })));
}

/** A form for one operation on one phone. */
function form(document, { path, method, spec, title }, number, done) {
  const inPath = (spec.parameters ?? []).filter((one) => one.in === 'path' && one.name !== 'number');
  const places = fields(document, Object.fromEntries(inPath.map((one) => [one.name, { ...one.schema, description: one.description }])), inPath.map((one) => one.name));
  const schema = follow(document, spec.requestBody?.content?.['application/json']?.schema);
  const body = schema.properties ? fields(document, schema.properties, schema.required ?? []) : null;
  const error = el('p', { class: 'error', role: 'alert' });
  const submit = el('button', { class: 'primary' }, 'Do it');
  return el('form', {
    onsubmit: (event) => {
      event.preventDefault();
      run(submit, async () => {
        let address = path.replace('{number}', encodeURIComponent(number));
        for (const [name, value] of Object.entries(places.read())) address = address.replace(`{${name}}`, encodeURIComponent(value));
        await CALLS[method](address, body ? await body.readAll() : undefined);
        notify(`Done: ${title}.`);
        done();
      }, error);
    },
  }, spec.description ? el('p', { class: 'note' }, spec.description) : null, places.node, body?.node, error, submit);
}

/** The list of what can be done, in a node; empty where there is nothing. */
export async function actions(number, done) {
  const document = await described();
  const all = operations(document);
  if (!all.length) return el('p', { class: 'note' }, 'Nothing more.');
  const slot = el('div');
  const select = el('select', { id: 'action' }, ...all.map((one) => el('option', { value: one.id }, one.title)));
  const show = () => slot.replaceChildren(form(document, all.find((one) => one.id === select.value), number, done));
  select.addEventListener('change', show);
  show();
  return el('div', { class: 'fields' }, el('div', { class: 'field' }, el('label', { for: 'action' }, 'What'), select), slot);
}
