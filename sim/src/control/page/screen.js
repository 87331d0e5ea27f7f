// The messages of one phone, as its screen shows them.

import { get, phonePath } from './api.js';
import { el, patch, time } from './dom.js';

const PART = 60;

const keyOf = (entry) => `${entry.direction}-${entry.from ?? ''}-${entry.id}-${entry.at ?? entry.first_at}`;

const bytes = new Intl.NumberFormat(undefined, { style: 'unit', unit: 'byte', unitDisplay: 'long' });

/** What is known of a file, and whether the phone could download it. */
function file({ media, mimetype, file_name: name, length, download }) {
  const about = [name, mimetype, length === null || length === undefined ? null : bytes.format(length)].filter(Boolean).join(', ');
  const state = { good: ['good', 'downloaded, hashes are right'], pending: ['note', 'downloading'], broken: ['bad', `not downloaded: ${download?.reason}`] }[download?.state];
  return el('p', { class: 'text other' }, `[${String(media).replaceAll('_', ' ')}] ${about} `, state ? el('span', { class: `meta ${state[0]}` }, state[1]) : null);
}

/** What a message is where its text does not say all. */
function more(content) {
  if (content.kind === 'media') return file(content);
  const facts = Object.entries(content).filter(([name, value]) => name !== 'kind' && value !== null && value !== undefined && value !== false)
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  return el('p', { class: 'text other' }, `[${content.kind.replaceAll('_', ' ')}] ${facts.join(', ')}`);
}

/** What stands in a bubble. */
function content(entry) {
  const text = entry.text ?? entry.content?.caption ?? null;
  const parts = [entry.content ? more(entry.content) : null, text === null ? null : el('p', { class: 'text' }, text)].filter(Boolean);
  return parts.length ? parts : [el('p', { class: 'text other' }, '[not a text]')];
}

const peer = (value) => {
  const [name, server] = String(value).split('@');
  const user = name.split(':')[0];
  return server !== 'g.us' && /^\d+$/.test(user) ? el('a', { href: `#/phones/${user}` }, `+${user}`) : String(value);
};

function bubble(entry) {
  const received = entry.direction === 'received';
  const group = entry.group ? `in group ${entry.group}` : null;
  const who = received
    ? el('span', {}, 'from ', peer(entry.from), entry.from_device ? ` device ${entry.from_device}` : '', group ? ` ${group}` : '')
    : el('span', {}, group ?? 'to ', group ? '' : peer(entry.to), entry.direction === 'copied' ? `, by own device ${entry.from_device}` : '');
  const ticks = entry.direction === 'written'
    ? el('span', { class: entry.delivered ? 'ticks good' : 'ticks', role: 'img', 'aria-label': entry.delivered ? 'delivered' : 'sent', title: entry.delivered ? 'delivered' : 'sent' }, entry.delivered ? '✓✓' : '✓')
    : null;
  return el('div', { class: received ? 'bubble' : 'bubble own' },
    el('p', { class: 'meta' }, who), ...content(entry),
    el('p', { class: 'meta end' },
      entry.arrivals > 1 ? el('span', { class: 'tag bad', title: 'It arrived more than once on the wire; the phone shows it once.' }, `arrived ${entry.arrivals}×`) : null,
      entry.retries > 0 ? el('span', { class: 'tag' }, `sent again ${entry.retries}×`) : null,
      time(entry.at ?? entry.first_at), ticks));
}

export class Screen {
  constructor(number, box) {
    Object.assign(this, { number, box, entries: [], before: null, first: true });
    this.earlier = el('button', { class: 'earlier', hidden: true, onclick: () => this.back() }, 'Show earlier messages');
    this.list = el('div', { class: 'bubbles' });
    this.none = el('p', { class: 'note', hidden: true }, 'Nothing arrived and nothing was written.');
    box.replaceChildren(this.earlier, this.none, this.list);
  }

  fetch(before) {
    const place = before ? `&before=${encodeURIComponent(before)}` : '';
    return get(phonePath(this.number, `/messages?limit=${PART}${place}`));
  }

  /** Looks at the end again and joins it with what is shown. */
  async refresh() {
    const { entries, before } = await this.fetch(null);
    const first = entries.length ? keyOf(entries[0]) : null;
    const at = first ? this.entries.findIndex((entry) => keyOf(entry) === first) : -1;
    if (at >= 0) {
      this.entries = [...this.entries.slice(0, at), ...entries];
      if (at === 0) this.before = before;
    } else {
      // More came at once than one look shows.
      this.entries = entries;
      this.before = before;
    }
    this.draw();
  }

  async back() {
    const { entries, before } = await this.fetch(this.before);
    const height = this.box.scrollHeight;
    this.entries = [...entries, ...this.entries];
    this.before = before;
    this.draw();
    this.box.scrollTop += this.box.scrollHeight - height;
  }

  draw() {
    const below = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight;
    const follow = this.first || below < 60;
    patch(this.list, this.entries, keyOf, bubble);
    this.earlier.hidden = !this.before;
    this.none.hidden = this.entries.length > 0;
    if (follow) this.box.scrollTop = this.box.scrollHeight;
    this.first = this.entries.length === 0;
  }
}
