// The page: its views, and which of them is shown.

import { get } from './api.js';
import { auditView } from './audit.js';
import { byId } from './dom.js';
import { faultsView } from './faults.js';
import { groupsView } from './groups.js';
import { journalView } from './journal.js';
import { linkView } from './link.js';
import { listen, markAll } from './live.js';
import { phonesView } from './phones.js';
import { status } from './status.js';

const totals = status();
const faults = faultsView(byId('view-faults'));
const journal = journalView(byId('view-journal'));
const link = linkView(byId('view-link'));
const views = { phones: phonesView(), groups: groupsView(byId('view-groups')), link, faults, journal, audit: auditView(byId('view-audit')) };

/** Shows what the address says: `#/view` or `#/phones/NUMBER`. */
function route(moved) {
  const [, name, rest] = location.hash.match(/^#\/(\w+)(?:\/(\d+))?/) ?? [];
  const shown = views[name] ? name : 'phones';
  for (const view of Object.keys(views)) byId(`view-${view}`).hidden = view !== shown;
  for (const anchor of document.querySelectorAll('nav a')) {
    if (anchor.getAttribute('href') === `#/${shown}`) anchor.setAttribute('aria-current', 'page');
    else anchor.removeAttribute('aria-current');
  }
  document.title = `${rest ? `+${rest}` : byId(`${shown}-title`).textContent} · kurir simulator`;
  views[shown].show(rest);
  // Where the keyboard and a screen reader go on after a move.
  if (moved) (rest ? byId('phone').querySelector('h2') : byId(`${shown}-title`))?.focus({ preventScroll: true });
}

function state(name) {
  const line = byId('state');
  line.textContent = name;
  line.className = `state ${name}`;
}

/** Waits for a simulator that does not answer yet. */
async function begin() {
  let overview = null;
  while (!overview) {
    overview = await get('/overview').catch(() => null);
    if (!overview) { state('disconnected'); await new Promise((later) => { setTimeout(later, 1000); }); }
  }
  await journal.begin(overview.journal);
  listen(overview.journal, state, link.changed);
}

for (const title of document.querySelectorAll('main h2')) title.tabIndex = -1;
addEventListener('hashchange', () => route(true));
document.addEventListener('visibilitychange', () => { if (!document.hidden) markAll(); });
route(false);
totals.now();
faults.show();
link.show();
begin();
