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
   * @returns {'restart' | 'other' | undefined} whether the instance has started anew, or another one answers
   */
  add(overview) {
    const last = this.#last;
    const change = changeOf(last, overview);
    if (change) this.list = [];
    const elapsed = last && !change ? overview.at - last.at : Infinity;
    if (elapsed <= 0) return change;
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
    return change;
  }
}

/**
 * @param {Overview | undefined} last
 * @param {Overview} overview
 */
function changeOf(last, overview) {
  if (!last) return undefined;
  // A restart behind a balancer may show as another instance; a name tells them apart, and a date does not.
  if (last.instance !== overview.instance) return 'other';
  return last.startedAt === overview.startedAt ? undefined : 'restart';
}
