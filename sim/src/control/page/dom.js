// Building and changing the page. Texts from outside become text nodes, never markup.

/** Makes an element. Children that are null or false are left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked') node[name] = value;
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const byId = (id) => document.getElementById(id);

/** Replaces the children of a node, but keeps those whose key and content are as before. */
export function patch(parent, items, keyOf, make) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const content = JSON.stringify(item);
    let node = old.get(key);
    old.delete(key);
    if (!node || node.dataset.content !== content) {
      const fresh = make(item);
      fresh.dataset.key = key;
      fresh.dataset.content = content;
      const focused = node && node.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
      if (node === place) place = node.nextElementSibling;
      if (node) node.replaceWith(fresh); else parent.insertBefore(fresh, place);
      if (focused) fresh.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
      node = fresh;
      if (node !== place && node.nextElementSibling !== place) parent.insertBefore(node, place);
    } else if (node === place) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(node, place);
    }
  }
  for (const node of old.values()) node.remove();
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });

export function time(millis) {
  const date = new Date(millis);
  return el('time', { datetime: date.toISOString(), title: day.format(date) }, clock.format(date));
}

export const plural = (count, one, many) => `${count.toLocaleString()} ${count === 1 ? one : many}`;

/** Says something in passing; also to screen readers. */
export function notify(text, bad = false) {
  const notice = el('p', { class: bad ? 'bad' : '' }, text);
  byId('notices').append(notice);
  setTimeout(() => notice.remove(), bad ? 9000 : 4000);
}

/** Runs what a button or form asks for: once at a time, and says what went wrong. */
export async function run(control, work, errorNode = null) {
  if (control.getAttribute('aria-disabled') === 'true') return false;
  control.setAttribute('aria-disabled', 'true');
  if (errorNode) errorNode.textContent = '';
  try {
    await work();
    return true;
  } catch (error) {
    if (errorNode) errorNode.textContent = error.message; else notify(error.message, true);
    return false;
  } finally {
    control.removeAttribute('aria-disabled');
  }
}
