// A list of any length: only the rows in view exist, and only their part is fetched.

import { el } from './dom.js';

const BLOCK = 50;

export class Rows {
  /** `fetch(offset, limit)` gives `{items, total}`; `make(item)` a row of the fixed height; `told()` hears of each look. */
  constructor(box, height, fetch, make, told) {
    Object.assign(this, { box, height, fetch, make, told, total: 0, blocks: new Map(), shown: new Map(), turn: 0 });
    this.space = el('ul', { class: 'space' });
    box.replaceChildren(this.space);
    box.addEventListener('scroll', () => this.view(), { passive: true });
    new ResizeObserver(() => this.view()).observe(box);
  }

  range() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - 4);
    const count = Math.ceil((this.box.clientHeight || 600) / this.height) + 8;
    return [first, first + count];
  }

  /** Another list: begins at its top. */
  async restart() {
    this.blocks.clear();
    this.box.scrollTop = 0;
    await this.refresh();
  }

  /** Fetches what is in view again. */
  async refresh() {
    this.turn += 1;
    const turn = this.turn;
    const [first, end] = this.range();
    const wanted = [];
    for (let block = Math.floor(first / BLOCK); block * BLOCK < Math.max(end, 1); block += 1) wanted.push(block);
    const answers = await Promise.all(wanted
      .filter((block) => block === 0 || block * BLOCK < Math.max(this.total, 1))
      .map(async (block) => [block, await this.fetch(block * BLOCK, BLOCK)]));
    if (turn !== this.turn) return;
    this.blocks = new Map(answers.map(([block, answer]) => [block, answer.items]));
    this.total = answers.at(-1)?.[1].total ?? 0;
    this.draw();
    this.told();
  }

  /** Shows what the place scrolled to needs; fetches what is not there. */
  view() {
    this.draw();
    const [first, end] = this.range();
    for (let at = first; at < Math.min(end, this.total); at += 1) {
      if (!this.blocks.has(Math.floor(at / BLOCK))) { this.refresh().catch(() => {}); return; }
    }
  }

  draw() {
    this.space.style.height = `${this.total * this.height}px`;
    const [first, end] = this.range();
    const keep = new Map();
    for (let at = first; at < Math.min(end, this.total); at += 1) {
      const item = this.blocks.get(Math.floor(at / BLOCK))?.[at % BLOCK];
      if (!item) continue;
      const key = item.number;
      const content = JSON.stringify(item);
      let row = this.shown.get(key);
      if (!row || row.content !== content) {
        const node = this.make(item);
        if (row) {
          const focused = row.node.contains(document.activeElement);
          row.node.replaceWith(node);
          if (focused) node.querySelector('a, button')?.focus({ preventScroll: true });
        } else {
          this.space.append(node);
        }
        row = { node, content };
      }
      row.node.style.transform = `translateY(${at * this.height}px)`;
      row.node.setAttribute('aria-setsize', this.total);
      row.node.setAttribute('aria-posinset', at + 1);
      keep.set(key, row);
    }
    for (const [key, row] of this.shown) if (!keep.has(key)) row.node.remove();
    this.shown = keep;
    this.order();
  }

  /** The rows in the order of the list also for the keyboard and for screen readers. */
  order() {
    const focused = this.space.contains(document.activeElement) ? document.activeElement : null;
    let place = this.space.firstElementChild;
    for (const { node } of this.shown.values()) {
      if (node === place) place = place.nextElementSibling;
      else this.space.insertBefore(node, place);
    }
    if (focused && document.activeElement !== focused) focused.focus({ preventScroll: true });
  }
}
