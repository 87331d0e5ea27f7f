// Looks at the fleet's, the verifications' and the limits' pages in Chromium: whether the charts are drawn, whether people can
// read and reach everything on a phone and on a desk, in light and in dark.
//
//   KURIR_PASSWORD=… node fleet.mjs CHROMIUM GATEWAY USER PICTURES
//
// GATEWAY is http://host:port, of a fleet that has sent something in the last hour. Pictures of the pages are put into PICTURES.
// One line of JSON for each look: {"looked": "…"} or {"wrong": ["…"]}, at last {"done": number of looks}.

import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { chromium } from 'playwright-core';

const [program, gateway, user, pictures] = process.argv.slice(2);
const PATIENCE = 30_000;
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
await mkdir(pictures, { recursive: true });

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
let looks = 0;
const look = (name, wrong) => {
  looks += 1;
  say(wrong.length === 0 ? { looked: name } : { wrong: wrong.map((what) => `${name}: ${what}`) });
};

const browser = await chromium.launch({
  executablePath: program,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

/** What the page said to its console, threw, or asked of elsewhere. */
function heard(page) {
  const wrong = [];
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) wrong.push(`${message.type()}: ${message.text()}`); });
  page.on('pageerror', (error) => wrong.push(`uncaught: ${error.stack}`));
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (asked.origin !== new URL(gateway).origin && !['data:', 'blob:'].includes(asked.protocol)) wrong.push(`request to ${asked.origin}`);
  });
  return wrong;
}

async function signedIn(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(`${gateway}/admin/sign-in`);
  await page.locator('input[name="user"]').fill(user);
  await page.locator('input[name="password"]').fill(process.env.KURIR_PASSWORD ?? '');
  await page.locator('button[type="submit"]').first().click();
  await page.waitForURL((url) => !url.pathname.endsWith('/sign-in'));
  return page;
}

/** What axe finds that is serious or worse. */
async function judged(page) {
  // Not a script element: the page's policy forbids it, rightly.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).slice(0, 4).join(' | ')}`);
}

/** What is wrong with the charts of a page. */
async function drawn(page) {
  const charts = await page.locator('figure.chart').evaluateAll((figures) => figures.map((figure) => {
    const svg = figure.querySelector('svg[role="img"]');
    const box = svg.getBoundingClientRect();
    const heights = [...svg.querySelectorAll('polyline, circle')].flatMap((mark) => (mark.tagName === 'circle'
      ? [mark.getAttribute('cy')]
      : mark.getAttribute('points').split(' ').map((point) => point.split(',')[1])));
    return {
      title: document.getElementById(svg.getAttribute('aria-labelledby'))?.textContent ?? '',
      width: box.width, height: box.height,
      levels: new Set(heights).size,
      points: heights.length,
      rows: figure.querySelectorAll('tbody tr').length,
      letters: Number.parseFloat(getComputedStyle(svg.querySelector('text')).fontSize) * (box.width / svg.viewBox.baseVal.width),
    };
  }));
  const wrong = [];
  if (charts.length !== 4) wrong.push(`${charts.length} charts, not 4`);
  for (const { title, width, height, levels, points, rows, letters } of charts) {
    if (!title) wrong.push('a chart without a title');
    if (width < 200 || height < 100) wrong.push(`${title}: ${width} by ${height} is too small`);
    if (letters < 8) wrong.push(`${title}: letters of ${letters} pixels`);
    if (points === 0) wrong.push(`${title}: nothing is drawn`);
    if (![60, 48].includes(rows)) wrong.push(`${title}: ${rows} rows of numbers`);
    // Numbers of messages go up and down; a rate may be the same all the time.
    if (points > 60 && levels < 2) wrong.push(`${title}: a flat line, though messages were sent`);
  }
  return wrong;
}

/** Waits until the charts show that something was sent: they are asked for anew every few seconds. */
async function counted(page) {
  const sent = () => [...document.querySelectorAll('figure.chart tbody')].slice(0, 1)
    .some((body) => [...body.querySelectorAll('tr')].some((row) => Number(row.cells[2].innerText || row.cells[2].textContent) > 0));
  await page.waitForFunction(sent, null, { timeout: PATIENCE, polling: 500 });
}

for (const scheme of ['light', 'dark']) {
  for (const width of [360, 1280]) {
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: scheme, locale: 'id-ID' });
    const page = await signedIn(context);
    const wrong = heard(page);
    for (const name of ['fleet', 'verifications', 'limits']) {
      await page.goto(`${gateway}/admin/${name}`);
      await page.locator('h1').waitFor();
      const seen = [];
      if (name === 'fleet') {
        await counted(page).catch((error) => seen.push(`no chart shows that anything was sent: ${error.message}`));
        seen.push(...await drawn(page));
      }
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) seen.push(`${over} pixels wider than the window`);
      seen.push(...await judged(page));
      await page.screenshot({ path: path.join(pictures, `admin-${name}-${scheme}-${width}.png`), fullPage: true });
      if (name === 'fleet') {
        // The same numbers as a table, reached by the keyboard.
        await page.locator('figure.chart summary').first().focus();
        await page.keyboard.press('Enter');
        await page.locator('figure.chart table').first().waitFor({ state: 'visible' });
        seen.push(...await judged(page));
      }
      seen.push(...wrong.splice(0));
      look(`${name}, ${scheme}, ${width} pixels`, seen);
    }
    await context.close();
  }
}
await browser.close();
say({ done: looks });
