// Groups: who is in them, and what can be done in them.

import { actions, ofGroups } from './actions.js';
import { described, get } from './api.js';
import { byId, el, patch, plural } from './dom.js';
import { Part } from './live.js';

const members = (group) => Object.entries(group.members).map(([phone, role]) => [
  el('a', { href: `#/phones/${phone}` }, `+${phone}`), role === 'member' ? ' ' : ` (${String(role).replaceAll('_', ' ')}) `]);

function row(group) {
  const all = members(group);
  return el('li', { class: 'card' }, el('strong', {}, group.subject || 'A group without a name'),
    el('p', { class: 'note' }, el('code', {}, group.id), ` · ${plural(all.length, 'member', 'members')}`), el('p', {}, ...all.flat()));
}

async function look() {
  const groups = await get('/groups');
  patch(byId('groups'), groups, (group) => group.id, row);
  byId('no-groups').hidden = groups.length > 0;
}

export function groupsView(view) {
  const forms = el('section', { class: 'panel', 'aria-label': 'What can be done' }, el('h2', { id: 'groups-title' }, 'Groups'));
  view.append(el('div', { class: 'columns' }, forms, el('section', { class: 'panel', 'aria-label': 'All groups' },
    el('p', { id: 'no-groups', class: 'note' }, 'There is no group.'), el('ul', { id: 'groups', class: 'plain' }))));
  const part = new Part(() => !view.hidden, () => true, look);
  described().then(async (document) => {
    byId('nav-groups').hidden = !document.paths['/groups'];
    if (document.paths['/groups']) forms.append(await actions(ofGroups, null, () => part.mark()));
  }, () => {});
  return { show: () => part.now() };
}
