/** @import { Overview } from '../overview.js' */

/** How far back charts reach, in ms. */
export const SPAN = 120_000;
/** Over a longer pause than this, in ms, there is no rate: nobody has looked in between. */
const GAP = 3_500;

/**
 * @typedef {object} Sample
 * @property {number} at in ms since 1970, by the clock of the server
 * @property {number | undefined} received per second
 * @property {number | undefined} sent per second
 * @property {number | undefined} connections
 * @property {number | undefined} loopDelay in ms
 */

/** The last two minutes. */
export class Samples {
  /** @type {Sample[]} */
  list = [];
  /** @type {Overview | undefined} */
  #last;

  /**
   * @param {Overview} overview
   * @returns {boolean} whether this is another process than before
   */
  add(overview) {
    const last = this.#last;
    const isOther =
      last !== undefined &&
      (last.startedAt !== overview.startedAt || last.instance !== overview.instance);
    if (isOther) this.list = [];
    const elapsed = last && !isOther ? overview.at - last.at : Infinity;
    if (elapsed <= 0) return isOther;
    const { at, counters, totals } = overview;
    if (elapsed > GAP && this.list.length > 0) {
      const nothing = { received: undefined, sent: undefined };
      this.list.push({ at: at - 1, ...nothing, connections: undefined, loopDelay: undefined });
    }
    /** @param {'received' | 'sent'} counter */
    const rate = (counter) =>
      last && elapsed <= GAP
        ? Math.max(0, ((counters[counter] - last.counters[counter]) * 1_000) / elapsed)
        : undefined;
    this.list.push({
      at,
      received: rate('received'),
      sent: rate('sent'),
      connections: totals.connections,
      loopDelay: totals.loopDelay,
    });
    while (this.list[0] && this.list[0].at < at - SPAN) this.list.shift();
    this.#last = overview;
    return isOther;
  }
}
