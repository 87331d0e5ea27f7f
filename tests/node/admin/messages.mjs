// Sends a test message through the admin page and follows it, as a shop's operator would, in Chromium.
//
//   node messages.mjs CHROMIUM
//
// One order on stdin, as JSON: {gateway, phones, key, user, password, session, number, shots}. One line on stdout for each thing that
// was done: {"done": "…"}; in the end {"end": true, "wrong": […]} with what axe, the console and the layout complain of.

import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const PATIENCE = 30_000;
// The simulated phone reads so long after it got a message: long enough that the page is there before.
const READ_AFTER = 6_000;

const { value: line } = await createInterface({ input: process.stdin })[Symbol.asyncIterator]().next();
const order = JSON.parse(line);
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const wrong = [];
const done = (what) => process.stdout.write(`${JSON.stringify({ done: what })}\n`);

const browser = await chromium.launch({
  executablePath: process.argv[2],
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: 'light', locale: 'id-ID' });
const page = await context.newPage();
page.setDefaultTimeout(PATIENCE);
page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) wrong.push(`${message.type()}: ${message.text()}`); });
page.on('pageerror', (error) => wrong.push(`uncaught: ${error.stack}`));
page.on('request', (request) => {
  const asked = new URL(request.url());
  if (asked.origin !== new URL(order.gateway).origin && asked.protocol !== 'data:') wrong.push(`request to ${asked.origin}`);
});
const at = (where) => page.goto(`${order.gateway}${where}`);

async function told(method, url, body, headers = {}) {
  const answer = await fetch(url, { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
}

/** Looks at the page in both themes and two widths: what axe finds that is serious, and whether it is wider than the window. */
async function judged(name) {
  for (const width of [1280, 360]) {
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize({ width, height: 860 });
      await page.emulateMedia({ colorScheme });
      const where = `${name}, ${width} px, ${colorScheme}`;
      // Not a script element: the page's policy forbids it, rightly.
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      for (const { id, impact, nodes } of violations) {
        if (['serious', 'critical'].includes(impact)) wrong.push(`${where}: ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).slice(0, 3).join(' | ')}`);
      }
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) wrong.push(`${where}: ${over} px wider than the window`);
      await page.screenshot({ path: path.join(order.shots, `admin-${name}-${width}-${colorScheme}.png`) });
    }
  }
  await page.setViewportSize({ width: 1280, height: 860 });
  await page.emulateMedia({ colorScheme: 'light' });
  done(`looked at ${name}`);
}

/** Fills the form of a test message and sends it; gives the message's id. */
async function sent(session, text) {
  await at('/admin/send');
  await page.getByLabel('Sesi').fill(session);
  await page.getByLabel('Nomor penerima').fill(order.number);
  await page.getByLabel('Teks', { exact: true }).last().fill(text);
  await page.getByLabel('Tunggu').selectOption('');
  await page.getByRole('button', { name: 'Kirim pesan uji' }).click();
  await page.waitForURL(/\/admin\/messages\/[0-9a-f-]{36}/);
  return new URL(page.url()).pathname.split('/').pop();
}

await mkdir(order.shots, { recursive: true });
await at('/admin/sign-in');
await page.locator('input[name="user"]').fill(order.user);
await page.locator('input[name="password"]').fill(order.password);
await page.locator('main button[type="submit"]').click();
await page.waitForURL(/\/admin\/(?!sign-in)/);
done('signed in');

await at('/admin/send');
await judged('send');
await told('PUT', `${order.phones}/phones/${order.number.replace(/\D/g, '')}`, { read_after_ms: READ_AFTER });
const id = await sent(order.session, 'Pesan uji dari halaman admin.');
// Would be gone after a reload.
await page.evaluate(() => { globalThis.sameDocument = true; });
const timeline = page.locator('ol.timeline');
if (await timeline.getByText('dibaca', { exact: true }).count()) throw new Error('it was read before anybody could watch');
await timeline.getByText('tiba di ponsel', { exact: true }).waitFor();
await timeline.getByText('dibaca', { exact: true }).waitFor();
if (!(await page.evaluate(() => globalThis.sameDocument))) throw new Error('the page was loaded again');
done('watched it become read');
const steps = await timeline.locator('li').allInnerTexts();
for (const word of ['mengantre', 'sedang dikirim', 'terkirim ke WhatsApp', 'tiba di ponsel', 'dibaca', 'setelah']) {
  if (!steps.some((step) => step.includes(word))) throw new Error(`the time line does not tell "${word}": ${steps.join(' / ')}`);
}
const whole = await page.content();
if (whole.includes('Pesan uji dari') || whole.includes(order.number.replace(/\D/g, ''))) throw new Error('the page tells text or number');
await judged('message');

await at('/admin/messages');
await page.getByLabel('Nomor penerima').fill(order.number);
await page.getByRole('button', { name: 'Cari' }).click();
await page.getByRole('link', { name: id }).waitFor();
await judged('messages');
await page.getByLabel('ID pesan').fill(id);
await page.getByRole('button', { name: 'Cari' }).click();
await page.waitForURL(new RegExp(`/admin/messages/${id}`));
done('found it by its number and its id');

// A session that nobody has linked keeps its messages waiting.
await told('POST', `${order.gateway}/v1/sessions`, { id: 'belum-tertaut' }, { 'X-Api-Key': order.key });
await sent('belum-tertaut', 'Pesan yang menunggu.');
await page.getByRole('link', { name: 'Jadwalkan ulang' }).click();
await judged('reschedule');
await page.goBack();
await page.getByRole('link', { name: 'Batalkan pesan' }).click();
await judged('cancel');
await page.getByRole('button', { name: 'Batalkan pesan' }).click();
await page.getByText('Pesan dibatalkan.').waitFor();
done('cancelled one that waited');

await at('/admin/dead');
await judged('dead');
await browser.close();
process.stdout.write(`${JSON.stringify({ end: true, wrong })}\n`);
