// Everything else that the owner of a phone can do, as the OpenAPI document has it.

import { described, post, put, remove } from './api.js';
import { el, notify, run } from './dom.js';
import { fields, follow, plainText } from './forms.js';

let serial = 0;

const CALLS = { post, put, delete: remove };
// These have their own place on the page.
const ELSEWHERE = new Set(['/phones/{number}/send', '/accounts/{number}/devices/{device}/logout']);
const AREAS = ['/phones/{number}/', '/accounts/{number}/'];

function operations(document, fits) {
  return Object.entries(document.paths).filter(([path]) => fits(path))
    .flatMap(([path, item]) => Object.entries(item).filter(([method]) => method in CALLS)
      .map(([method, spec]) => ({ path, method, spec, id: spec.operationId, title: spec.summary.replace(/[.:,].*$/s, '') })));
}

/** A field for a body without a schema, with an example of it. */
function anything(content) {
  const example = content.example ?? Object.values(content.examples ?? {})[0]?.value ?? {};
  serial += 1;
  const id = `body-${serial}`;
  const node = el('textarea', { id, rows: 12, spellcheck: 'false', value: JSON.stringify(example, null, 2) });
  return {
    node: el('div', { class: 'field' }, el('label', { for: id }, 'JSON'), node),
    async readAll() { try { return JSON.parse(node.value); } catch (error) { throw new Error(`This is not JSON: ${error.message}`); } },
  };
}

/** A form for one operation, on one phone if it is one of a phone. */
function form(document, { path, method, spec, title }, number, done) {
  const inPath = (spec.parameters ?? []).filter((one) => one.in === 'path' && one.name !== 'number');
  const places = fields(document, Object.fromEntries(inPath.map((one) => [one.name, { ...one.schema, description: one.description }])), inPath.map((one) => one.name));
  const content = spec.requestBody?.content?.['application/json'];
  const schema = follow(document, content?.schema);
  const body = schema.properties ? fields(document, schema.properties, schema.required ?? []) : content ? anything(content) : null;
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
  }, spec.description ? el('p', { class: 'note' }, plainText(spec.description)) : null, places.node, body?.node, error, submit);
}

/** What the owner of a phone can do. */
export const ofPhone = (path) => AREAS.some((area) => path.startsWith(area)) && !ELSEWHERE.has(path);
/** What can go wrong beside single faults. */
export const ofFaults = (path) => ['/scenario', '/restart'].includes(path);

/** What can be done in groups. */
export const ofGroups = (path) => path === '/groups' || path.startsWith('/groups/');

/** What can be done, as forms in a node. */
export async function actions(fits, number, done) {
  const document = await described();
  const all = operations(document, fits);
  if (!all.length) return el('p', { class: 'note' }, 'Nothing more.');
  const slot = el('div');
  serial += 1;
  const id = `action-${serial}`;
  const select = el('select', { id }, ...all.map((one) => el('option', { value: one.id }, one.title)));
  const show = () => slot.replaceChildren(form(document, all.find((one) => one.id === select.value), number, done));
  select.addEventListener('change', show);
  show();
  return el('div', { class: 'fields' }, el('div', { class: 'field' }, el('label', { for: id }, 'What'), select), slot);
}
