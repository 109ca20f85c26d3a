import { ask } from './ask.js';

/** @import { Page } from '../contract.js' */
/** @import { Pulse } from './pulse.js' */

/** The most rows of one request. */
const LIMIT = 200;
/** How many rows beside the visible ones are kept, for those who scroll back. */
const KEPT = 400;
/** How long a scroll must rest before rows are asked for, in ms. */
const REST = 90;

/**
 * The rows of a list, of which only the visible ones are asked for: at once when others come into view,
 * and then with each beat.
 *
 * @template Row
 */
export class Rows {
  /** How many rows there are; `undefined` until the first answer. @type {number | undefined} */
  total;
  /** Why the last request failed. @type {string | undefined} */
  error;
  /** @type {() => void} */
  onChange = () => {};
  /** @type {(instance: string) => void} */
  onInstance = () => {};

  /** @type {Map<number, Row>} */
  #rows = new Map();
  #route;
  #pulse;
  /** @type {Readonly<Record<string, string>>} */
  #query = {};
  #first = 0;
  #count = 0;
  /** @type {AbortController | undefined} */
  #asking;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #rest;
  #isShown = false;

  /**
   * @param {string} route
   * @param {Pulse} pulse
   */
  constructor(route, pulse) {
    this.#route = route;
    this.#pulse = pulse;
    pulse.onBeat(() => {
      if (this.#isShown && !this.#asking) void this.#ask();
    });
  }

  /** @param {number} index */
  at(index) {
    return this.#rows.get(index);
  }

  /** All rows at hand. */
  known() {
    return this.#rows.values();
  }

  /** Whether anybody sees the list: else nothing is asked. @param {boolean} isShown */
  show(isShown) {
    if (isShown === this.#isShown) return;
    this.#isShown = isShown;
    if (isShown) this.#askSoon(0);
    else this.#stop();
  }

  /** Other rows than before. @param {Readonly<Record<string, string>>} query */
  search(query) {
    if (JSON.stringify(query) === JSON.stringify(this.#query)) return;
    this.#query = query;
    this.#stop();
    this.#rows.clear();
    this.total = undefined;
    this.#first = 0;
    this.onChange();
    this.#askSoon(0);
  }

  /**
   * Tells which rows are visible.
   * @param {number} first
   * @param {number} count
   */
  look(first, count) {
    if (first === this.#first && count === this.#count) return;
    this.#first = first;
    this.#count = count;
    if (this.total === undefined) return;
    for (let index = first; index < Math.min(first + count, this.total); index++) {
      if (this.#rows.has(index)) continue;
      this.#askSoon(REST);
      return;
    }
  }

  #stop() {
    clearTimeout(this.#rest);
    this.#asking?.abort();
    this.#asking = undefined;
  }

  /** @param {number} delay */
  #askSoon(delay) {
    clearTimeout(this.#rest);
    if (!this.#isShown || !this.#pulse.isRunning) return;
    this.#rest = setTimeout(() => {
      this.#asking?.abort();
      void this.#ask();
    }, delay);
  }

  async #ask() {
    const asking = new AbortController();
    this.#asking = asking;
    const offset = this.#first;
    const limit = Math.min(LIMIT, Math.max(20, this.#count));
    try {
      /** @type {Page<Row>} */
      const page = await ask(this.#route, { ...this.#query, offset, limit }, asking.signal);
      if (this.#asking !== asking) return;
      this.#take(offset, limit, page);
    } catch (error) {
      if (this.#asking !== asking) return;
      this.error = error instanceof Error ? error.message : String(error);
    }
    this.#asking = undefined;
    this.onChange();
  }

  /**
   * @param {number} offset
   * @param {number} limit
   * @param {Page<Row>} page
   */
  #take(offset, limit, { total, rows, instance }) {
    this.error = undefined;
    this.total = total;
    for (const index of this.#rows.keys()) {
      const isNear = index >= this.#first - KEPT && index < this.#first + this.#count + KEPT;
      const isAsked = index >= offset && index < offset + limit;
      if (!isNear || isAsked || index >= total) this.#rows.delete(index);
    }
    for (const [n, row] of rows.entries()) this.#rows.set(offset + n, row);
    if (instance !== undefined) this.onInstance(instance);
  }
}
