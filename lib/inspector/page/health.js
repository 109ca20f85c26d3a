import { byId, make, setText } from './dom.js';
import { counted, duration, shortCount, time } from './format.js';

/** @import { Overview, ShownSystem, ShownOutage } from '../overview.js' */

/** The reasons of one kind, with how often each was the case: the most frequent first. */
class Reasons {
  #list = make('ol', { class: 'reasons' });
  #total = make('span', { class: 'card-total' });
  #shown = '';
  #none;

  /**
   * @param {string} title
   * @param {string} none what is said when there is nothing
   */
  constructor(title, none) {
    this.#none = none;
    this.element = card(title, this.#total, this.#list);
  }

  /** @param {Record<string, number>} counts */
  show(counts) {
    const key = JSON.stringify(counts);
    if (key === this.#shown) return;
    this.#shown = key;
    const reasons = Object.entries(counts).filter(([, value]) => value > 0);
    reasons.sort(([, a], [, b]) => b - a);
    const total = reasons.reduce((sum, [, value]) => sum + value, 0);
    setText(this.#total, total > 0 ? shortCount(total) : '');
    const rows = reasons.map(([reason, value]) => {
      const share = make('span', { class: 'share', 'aria-hidden': 'true' });
      share.style.setProperty('--share', String(value / total));
      const name = make('span', { class: 'reason', title: reason }, reason);
      return make('li', {}, name, make('span', { class: 'number' }, shortCount(value)), share);
    });
    this.#list.replaceChildren(
      ...(rows.length > 0 ? rows : [make('li', { class: 'none' }, this.#none)]),
    );
  }
}

/** Whether the systems that feed channels are there, and why clients were refused, ended and reset. */
export class Health {
  #systems = make('ul', { class: 'systems' });
  #outages = make('ol', { class: 'outages' });
  #outageTotal = make('span', { class: 'card-total' });
  #refused = new Reasons('Refused', 'No request was refused.');
  #ended = new Reasons('Ended', 'No connection has ended.');
  #resets = new Reasons('Resets', 'No client was reset.');

  constructor() {
    byId('health').append(
      card('Systems', undefined, this.#systems),
      card('Outages', this.#outageTotal, this.#outages),
      this.#refused.element,
      this.#ended.element,
      this.#resets.element,
    );
  }

  /** @param {Overview} overview */
  show({ at, systems, outages, refusedBy, endedBy, resetsBy }) {
    const rows = systems.map((system) => systemRow(system, at));
    this.#systems.replaceChildren(
      ...(rows.length > 0
        ? rows
        : [make('li', { class: 'none' }, 'All channels are in this process.')]),
    );
    const spans = outages.toSorted((a, b) => b.from - a.from).map((span) => outageRow(span, at));
    setText(this.#outageTotal, spans.length > 0 ? String(spans.length) : '');
    this.#outages.replaceChildren(
      ...(spans.length > 0 ? spans : [make('li', { class: 'none' }, 'None since the start.')]),
    );
    this.#refused.show(refusedBy);
    this.#ended.show(endedBy);
    this.#resets.show(resetsBy);
  }
}

/**
 * @param {string} title
 * @param {Node | undefined} total
 * @param {Node} content
 */
function card(title, total, content) {
  const heading = make('h2', {}, title);
  if (total) heading.append(' ', total);
  const scroll = make('div', { class: 'card-scroll' }, content);
  return make('article', { class: 'card' }, heading, scroll);
}

/**
 * @param {ShownSystem} system
 * @param {number} now
 */
function systemRow({ name, up, since, error }, now) {
  const state = up ? 'up' : 'away';
  const long = since === undefined ? '' : ` for ${duration(now - since)}`;
  const row = make(
    'li',
    { 'data-state': state },
    make('span', { class: 'dot', 'aria-hidden': 'true' }),
    make('span', { class: 'reason', title: name }, name),
    make('span', { class: 'number' }, state + long),
  );
  if (!up && error) row.append(make('span', { class: 'why', title: error }, error));
  return row;
}

/**
 * @param {ShownOutage} span
 * @param {number} now
 */
function outageRow({ system, from, to, error }, now) {
  const long = to === undefined ? `for ${duration(now - from)} now` : duration(to - from);
  const row = make(
    'li',
    { 'data-state': to === undefined ? 'away' : 'up' },
    make('span', { class: 'reason', title: system }, system),
    make('span', { class: 'number' }, `${time(from)} · ${long}`),
  );
  if (error) row.append(make('span', { class: 'why', title: error }, error));
  return row;
}

/** What is told to screen readers when systems go away or come back. */
export class HealthNews {
  /** @type {Map<string, boolean>} */
  #last = new Map();

  /**
   * @param {readonly ShownSystem[]} systems
   * @returns {string | undefined}
   */
  news(systems) {
    const changed = systems.filter(({ name, up }) => (this.#last.get(name) ?? true) !== up);
    this.#last = new Map(systems.map(({ name, up }) => [name, up]));
    const away = changed.filter(({ up }) => !up).map(({ name }) => name);
    const back = changed.filter(({ up }) => up).map(({ name }) => name);
    const news = [
      ...(away.length > 0 ? [`${counted(away.length, 'system')} away: ${away.join(', ')}.`] : []),
      ...(back.length > 0 ? [`Back: ${back.join(', ')}.`] : []),
    ];
    return news.length > 0 ? news.join(' ') : undefined;
  }
}
