// Forms made of the schemas in the OpenAPI document, so that what the simulator learns to do can be
// done here without a change to this page.

import { get } from './api.js';
import { byId, el } from './dom.js';

let serial = 0;

export function follow(document, schema) {
  const target = schema?.$ref;
  if (!target) return schema ?? {};
  return target.slice(2).split('/').reduce((at, name) => at[name], document);
}

const words = (name) => {
  const text = name.replaceAll('_', ' ').replace(/ ms$/, ' (ms)').replace(/ secs$/, ' (s)');
  return text[0].toUpperCase() + text.slice(1);
};

/** The one way or the several ways in which a value can be given; `null` apart. */
function meaning(document, schema) {
  const number = schema.$ref?.endsWith('/PhoneNumber');
  const outer = schema.description;
  const plain = follow(document, schema);
  const choices = plain.oneOf ?? plain.anyOf;
  const real = choices?.filter((choice) => choice.type !== 'null');
  const only = real?.length === 1 ? real[0] : plain.allOf?.length === 1 ? plain.allOf[0] : null;
  if (only) {
    const inner = meaning(document, only);
    return { ...inner, optional: inner.optional || real?.length === 1, description: outer ?? plain.description ?? inner.description };
  }
  const types = [plain.type].flat();
  const kind = types.find((type) => type !== 'null');
  const items = kind === 'array' ? meaning(document, plain.items ?? {}) : undefined;
  return { ...plain, kind, number, items, choices: real, optional: types.includes('null'), description: outer ?? plain.description };
}

/** What a schema says of an object, with all that it is put together from. */
function partsOf(document, schema) {
  const plain = follow(document, schema);
  const parts = [plain, ...(plain.allOf ?? []).map((one) => partsOf(document, one))];
  return {
    description: schema.description ?? plain.description ?? parts.find((one) => one.description)?.description,
    properties: Object.assign({}, ...parts.map((one) => one.properties ?? {})),
    required: parts.flatMap((one) => one.required ?? []),
  };
}

/** The variants of a tagged schema: their tag, description and fields. */
export function variants(document, schema, tag) {
  return (follow(document, schema).oneOf ?? []).map((variant) => {
    const { description, properties, required } = partsOf(document, variant);
    const named = properties[tag] ?? {};
    const name = named.const ?? named.enum?.[0];
    delete properties[tag];
    return { name, title: words(name ?? ''), description, properties, required };
  });
}

/** A description without the marks of code and links. */
export const plainText = (text) => text.replace(/\[?`([^`]*)`\]?/g, '$1');

/** Offers the numbers of accounts that begin like what is being typed. */
async function offerNumbers(input) {
  const digits = input.value.replace(/\D/g, '');
  try {
    const accounts = await get(`/accounts?limit=20&search=${digits}`);
    byId('numbers').replaceChildren(...accounts.map((account) => el('option', { value: account.number })));
  } catch { /* it is only an offer */ }
}

/** An input for a phone number. */
export function numberInput(attributes) {
  const input = el('input', {
    inputmode: 'tel', autocomplete: 'off', list: 'numbers', placeholder: '15551230001', pattern: '[+]?[1-9][0-9 \\-]{4,19}',
    title: '5 to 15 digits with the country code', ...attributes,
  });
  input.addEventListener('input', () => offerNumbers(input));
  input.addEventListener('focus', () => offerNumbers(input));
  return input;
}

export const digits = (text) => text.replace(/[\s\-]/g, '');

const isFile = (schema) => schema.kind === 'string' && (schema.contentEncoding === 'base64' || schema.format === 'byte');

const isList = (schema) => schema.kind === 'array' && schema.items?.kind === 'string';

/** A file in base64. */
async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

function control(document, name, schema, required, id) {
  const base = { id, name, required };
  if (schema.number) return numberInput(base);
  if (name === 'device' && schema.kind === 'integer') {
    return el('input', { ...base, type: 'number', min: 0, step: 1, inputmode: 'numeric', list: `${id}-devices` });
  }
  if (schema.enum) {
    const empty = required ? null : el('option', { value: '' }, '—');
    return el('select', base, empty, ...schema.enum.filter((value) => value !== null).map((value) => el('option', { value }, words(String(value)))));
  }
  if (schema.kind === 'boolean') return el('input', { id, name, type: 'checkbox' });
  if (schema.kind === 'integer' || schema.kind === 'number') {
    return el('input', {
      ...base, type: 'number', step: schema.kind === 'integer' ? 1 : 'any', min: schema.minimum ?? 0, max: schema.maximum,
      inputmode: 'numeric',
    });
  }
  if (isFile(schema)) return el('input', { ...base, type: 'file' });
  if (isList(schema)) return el('input', { ...base, autocomplete: 'off', placeholder: schema.items.number ? '15551230001, 15551230002' : 'separated by commas' });
  if (schema.kind === 'string') return el('input', { ...base, autocomplete: 'off' });
  return el('textarea', { ...base, rows: 2, placeholder: 'JSON' });
}

/** The value of a control; undefined when it is left out. */
function valueOf(node, schema) {
  if (schema.kind === 'boolean') return node.checked;
  if (isFile(schema)) return undefined;
  const text = node.value.trim();
  if (text === '') return undefined;
  if (schema.number) return digits(text);
  if (isList(schema)) return text.split(',').map((one) => (schema.items.number ? digits(one.trim()) : one.trim())).filter(Boolean);
  if (schema.kind === 'integer' || schema.kind === 'number') return Number(text);
  if (schema.kind === 'string' || schema.enum) return text;
  try { return JSON.parse(text); } catch { throw new Error(`${words(node.name)}: this is not JSON`); }
}

/** The property whose one value tells the variants of a schema apart. */
function tagOf(document, choices) {
  const plain = choices.map((choice) => Object.entries(partsOf(document, choice).properties));
  const tags = plain.map((properties) => properties.filter(([, one]) => one.const ?? (one.enum?.length === 1)).map(([name]) => name));
  return tags[0]?.find((name) => tags.every((others) => others.includes(name)));
}

/** One value: a node, how to read it and how to fill it in. */
function simple(document, name, schema, needed) {
  serial += 1;
  const id = `field-${serial}`;
  const node = control(document, name, schema, needed, id);
  if (schema.description) node.setAttribute('aria-describedby', `${id}-hint`);
  const label = el('label', { for: id }, words(name), needed || schema.kind === 'boolean' ? null : el('span', { class: 'note' }, ' optional'));
  const hint = schema.description ? el('p', { class: 'hint', id: `${id}-hint` }, plainText(schema.description)) : null;
  return {
    name, schema, node,
    box: el('div', { class: schema.kind === 'boolean' ? 'field check' : 'field' }, label, node, hint),
    read: () => valueOf(node, schema),
    write(value) { if (schema.kind === 'boolean') node.checked = Boolean(value); else node.value = value ?? ''; },
  };
}

/** Several values under one name. */
function group(document, name, schema, needed) {
  const inner = fields(document, schema.properties, schema.required ?? []);
  return {
    name, schema,
    box: el('fieldset', {}, el('legend', {}, words(name), needed ? null : el('span', { class: 'note' }, ' optional')),
      schema.description ? el('p', { class: 'hint' }, plainText(schema.description)) : null, inner.node),
    read() {
      const values = inner.read();
      return needed || Object.keys(values).length ? values : undefined;
    },
    write: (values) => inner.write(values ?? {}),
  };
}

/** One of several kinds, each with values of its own. */
function choice(document, name, schema, needed, tag) {
  const kinds = variants(document, { oneOf: schema.choices }, tag);
  serial += 1;
  const id = `field-${serial}`;
  const select = el('select', { id, name }, needed ? null : el('option', { value: '' }, '—'), ...kinds.map((kind) => el('option', { value: kind.name }, kind.title)));
  const hint = el('p', { class: 'hint', id: `${id}-hint` });
  select.setAttribute('aria-describedby', hint.id);
  const slot = el('div');
  let inner = null;
  const show = () => {
    const kind = kinds.find((one) => one.name === select.value);
    hint.textContent = plainText(kind?.description ?? schema.description ?? '');
    inner = kind ? fields(document, kind.properties, kind.required) : null;
    slot.replaceChildren(...(inner ? [inner.node] : []));
  };
  select.addEventListener('change', show);
  show();
  return {
    name, schema,
    box: el('fieldset', {}, el('legend', {}, words(name)), el('div', { class: 'field' }, el('label', { for: id }, 'Kind'), select, hint), slot),
    read: () => (select.value ? { [tag]: select.value, ...inner.read() } : undefined),
    write(value) {
      select.value = value?.[tag] ?? select.value;
      show();
      inner?.write(value ?? {});
    },
  };
}

function part(document, name, given, required) {
  const schema = meaning(document, given);
  const needed = required.includes(name) && !schema.optional && schema.kind !== 'boolean';
  const tag = schema.choices?.length > 1 ? tagOf(document, schema.choices) : null;
  if (tag) return choice(document, name, schema, needed, tag);
  if (schema.kind === 'object' && schema.properties) return group(document, name, schema, needed);
  return simple(document, name, schema, needed);
}

/** Fields for properties, in a node; `read()` gives what was filled in, `write(values)` fills in. */
export function fields(document, properties, required = []) {
  const all = Object.entries(properties).map(([name, given]) => part(document, name, given, required));
  pickDevices(all);
  return {
    node: el('div', { class: 'fields' }, ...all.map((field) => field.box)),
    read() {
      const filled = all.map((field) => [field.name, field.read()]);
      return Object.fromEntries(filled.filter(([, value]) => value !== undefined));
    },
    /** The same, with the content of files. */
    async readAll() {
      const files = all.filter(({ schema, node }) => isFile(schema) && node.files[0]);
      const contents = await Promise.all(files.map(async ({ name, node }) => [name, await base64(node.files[0])]));
      return { ...this.read(), ...Object.fromEntries(contents) };
    },
    write(values) {
      for (const field of all) if (field.name in values) field.write(values[field.name]);
    },
  };
}

/** Offers the linked devices of the account that is chosen beside. */
function pickDevices(all) {
  const account = all.find((field) => field.name === 'account' && field.schema.number);
  const device = all.find((field) => field.name === 'device');
  if (!account?.node || !device?.node) return;
  const offers = el('datalist', { id: `${device.node.id}-devices` });
  device.box.append(offers);
  account.node.addEventListener('change', async () => {
    const number = digits(account.node.value);
    const found = (await get(`/accounts?search=${number}&limit=20`).catch(() => [])).find((one) => one.number === number);
    const devices = found?.devices ?? [];
    offers.replaceChildren(...devices.map((one) => el('option', { value: one.id }, one.name)));
    if (devices.length && !devices.some((one) => String(one.id) === device.node.value)) device.node.value = devices[0].id;
  });
}
