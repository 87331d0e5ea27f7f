// Drives Chromium through a page, as a person would: by what is seen and by what screen readers are told.
//
//   node browser.mjs CHROMIUM
//
// One order per line on stdin, as JSON with its name in `do`; one answer per line on stdout: {"ok": …} or {"error": …}.

import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const PATIENCE = 20_000;
const browser = await chromium.launch({
  executablePath: process.argv[2],
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
});
const wrong = [];
let page = null;

const inside = (order) => (order.in ? page.locator(order.in) : page);
const target = (order) => {
  if (order.label) return inside(order).getByLabel(order.label, { exact: true }).filter({ visible: true });
  if (order.role) return inside(order).getByRole(order.role, { name: order.name, exact: order.exact ?? true });
  return page.locator(order.at);
};

const orders = {
  /** A fresh page; what it reports and asks for elsewhere is kept for `problems`. */
  async open({ url, width = 1280, height = 860, scheme = 'light' }) {
    await page?.context().close();
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
    page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const own = new URL(url).origin;
    page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) wrong.push(`${message.type()}: ${message.text()}`); });
    page.on('pageerror', (error) => wrong.push(`uncaught: ${error.stack}`));
    page.on('dialog', (dialog) => { wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
    page.on('request', (request) => {
      const asked = new URL(request.url());
      if (asked.origin !== own && !['data:', 'blob:'].includes(asked.protocol)) wrong.push(`request to ${asked.origin}`);
    });
    await page.goto(url);
  },
  /** Another page in the same browser, with its cookies. */
  visit: ({ url }) => page.goto(url).then(() => null),
  /** Another size of the window, other colours. */
  async resize({ width, height, scheme }) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme });
  },
  /** Leaves a mark that a reload would wipe away; `marked` tells whether it is there. */
  mark: () => page.evaluate(() => { globalThis.marked = true; }),
  marked: () => page.evaluate(() => globalThis.marked === true),
  /** What the window shows, as a PNG in base64. */
  photo: async () => (await page.screenshot()).toString('base64'),
  go: ({ hash }) => page.evaluate((to) => { location.hash = to; }, hash),
  click: (order) => target(order).click(),
  fill: (order) => target(order).fill(order.value),
  choose: (order) => target(order).selectOption(order.value).then(() => null),
  picture: (order) => target(order).setInputFiles({ name: 'code.png', mimeType: 'image/png', buffer: Buffer.from(order.png, 'base64') }),
  /** Pastes a picture, as after taking a screenshot. */
  async paste({ png }) {
    await page.evaluate((data) => {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([bytes], 'code.png', { type: 'image/png' }));
      document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    }, png);
  },
  see: (order) => inside(order).getByText(order.text, { exact: order.exact ?? false }).first().waitFor({ state: 'visible' }),
  /** Waits until a text is not there, or not any more. */
  miss: (order) => inside(order).getByText(order.text).first().waitFor({ state: 'hidden' }),
  find: (order) => target(order).first().waitFor({ state: 'visible' }),
  text: ({ at }) => page.locator(at).first().innerText(),
  count: ({ at }) => page.locator(at).count(),
  /** Waits until as many elements as `least` are there. */
  async least({ at, least }) {
    await page.waitForFunction(([where, wanted]) => document.querySelectorAll(where).length >= wanted, [at, least]);
    return page.locator(at).count();
  },
  scroll: ({ at, to }) => page.locator(at).evaluate((node, place) => { node.scrollTop = place; }, to),
  press: ({ key }) => page.keyboard.press(key),
  type: ({ text }) => page.keyboard.type(text),
  /** What has the focus: its name for people. */
  focus: () => page.evaluate(() => {
    const node = document.activeElement;
    return (node.getAttribute('aria-label') ?? node.labels?.[0]?.innerText ?? node.innerText ?? '').replace(/\s+/g, ' ').trim();
  }),
  /** Whether the page is wider than the window. */
  overflow: () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
  async shot({ to }) {
    await mkdir(path.dirname(to), { recursive: true });
    await page.screenshot({ path: to });
  },
  /** A picture of one element as it is on the screen, in base64. */
  picture_of: ({ at }) => page.locator(at).screenshot().then((picture) => picture.toString('base64')),
  /** The number that this window keeps, another one after the page was loaded anew. */
  window: () => page.evaluate(() => performance.timeOrigin),
  /** What axe finds that is serious or worse. */
  async axe() {
    const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    // Not a script element: the page's policy forbids it, rightly.
    await page.evaluate(source);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    return violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
      .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).slice(0, 4).join(' | ')}`);
  },
  /** What the console said, what was thrown, what was asked for elsewhere. Forgotten afterwards. */
  problems: () => wrong.splice(0),
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  let answer;
  try {
    answer = { ok: (await orders[order.do](order)) ?? null };
  } catch (error) {
    const shown = await page?.locator('body').innerText().catch(() => '') ?? '';
    answer = { error: `${error.message}\n--- the page:\n${shown.slice(0, 3000)}`, problems: wrong };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
