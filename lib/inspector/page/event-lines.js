import { make } from './dom.js';
import { bytes, time } from './format.js';
import { visibleLines } from './visible.js';

/** @import { ShownEvent } from '../contract.js' */

/** The most lines that are kept. */
export const MOST_LINES = 500;

/** Events, the newest at the top. It never has more than {@link MOST_LINES}. */
export class EventLines {
  element = make('ol', { class: 'events', 'aria-label': 'Events, the newest first' });
  /** What is shown: history and what is followed overlap. @type {Set<string>} */
  #shown = new Set();
  /** The same, by line. @type {WeakMap<Element, string>} */
  #keys = new WeakMap();

  get size() {
    return this.element.childElementCount;
  }

  clear() {
    this.#shown.clear();
    this.element.replaceChildren();
  }

  /**
   * Puts events above all others, except those that are there already.
   * @param {readonly ShownEvent[]} events the oldest first
   */
  add(events) {
    for (const event of events) {
      const key = keyOf(event);
      if (this.#shown.has(key)) continue;
      this.#shown.add(key);
      const item = line(event);
      this.#keys.set(item, key);
      this.element.prepend(item);
    }
    while (this.size > MOST_LINES) {
      const last = /** @type {Element} */ (this.element.lastElementChild);
      this.#shown.delete(this.#keys.get(last) ?? '');
      last.remove();
    }
  }

  /** A line between the events, such as that some were left out. @param {string} text */
  note(text) {
    if (this.element.firstElementChild?.textContent === text) return;
    this.element.prepend(make('li', { class: 'note' }, text));
  }
}

/** What tells events apart: ids may be missing, or come again. @param {ShownEvent} event */
function keyOf({ place, at, id }) {
  return `${place} ${at} ${id}`;
}

/** @param {ShownEvent} event */
function line(event) {
  const { id, type, size, at, data, cut } = event;
  const head = [make('code', { class: 'id', title: id }, id || '–')];
  if (at !== undefined) head.unshift(make('time', { title: new Date(at).toISOString() }, time(at)));
  head.push(make('span', { class: 'size' }, bytes(size)));
  if (type !== undefined) head.push(make('span', { class: 'type', title: type }, type));
  const item = make('li');
  if (data === undefined) {
    item.append(make('p', { class: 'event-head' }, ...head));
    return item;
  }
  const summary = make('summary', {}, ...head, make('span', { class: 'short' }, short(data)));
  const details = make('details', {}, summary);
  // Only who opens a line pays for making it readable.
  details.addEventListener('toggle', () => details.append(make('pre', {}, readable(data, cut))), {
    once: true,
  });
  item.append(details);
  return item;
}

/** Its beginning, without half of a character at its end. @param {string} data */
function short(data) {
  const [start = ''] = /^.{0,240}/su.exec(data) ?? [];
  return new Text(visibleLines(start) + (start === data ? '' : '…'));
}

/**
 * @param {string} data
 * @param {true | undefined} cut
 */
function readable(data, cut) {
  try {
    if (!cut) return new Text(visibleLines(JSON.stringify(JSON.parse(data), null, 2)));
  } catch {
    // It is no JSON.
  }
  return new Text(visibleLines(data) + (cut ? '\n… the rest is cut' : ''));
}
