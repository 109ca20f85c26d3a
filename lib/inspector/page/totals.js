import { Chart } from './chart.js';
import { byId, make, setText } from './dom.js';
import { bytes, count, measure, shortCount } from './format.js';

/** @import { ChartSetup } from './chart.js' */
/** @import { Overview } from '../overview.js' */
/** @import { Sample } from './samples.js' */

/** @type {ChartSetup[]} */
const CHARTS = [
  { of: 'received', title: 'Received', unit: 'events/s', format: measure, floor: 5 },
  { of: 'sent', title: 'Sent', unit: 'events/s', format: measure, floor: 5 },
  { of: 'connections', title: 'Connections', unit: 'open', format: count, floor: 5 },
  { of: 'loopDelay', title: 'Loop delay', unit: 'ms, p99', format: measure, floor: 10, high: 100 },
];

/** The numbers that lead to the list that says who: those who have not read for longest come first. */
const WHO = new Set(['Slow clients', 'Stalled']);
const TO_WHO = { href: '#tab=connections&order=lag', title: 'Who has not read for longest' };

/**
 * A number among the others: its text, and whether it asks for a look.
 * @type {[title: string, text: (overview: Overview) => string, warn?: (overview: Overview) => boolean][]}
 */
const FACTS = [
  ['Channels', ({ totals }) => shortCount(totals.channels)],
  ['Readers', ({ totals }) => shortCount(totals.readers)],
  ['Slow clients', ({ totals }) => shortCount(totals.slow), ({ totals }) => totals.slow > 0],
  ['Opening', ({ totals }) => shortCount(totals.opening)],
  ['Retained', ({ totals }) => shortCount(totals.events)],
  ['Their size', ({ totals }) => bytes(totals.bytes)],
  ['Polled keys', ({ totals }) => shortCount(totals.polledKeys)],
  ['Runs', ({ totals }) => shortCount(totals.runs)],
  ['Sent in all', ({ counters }) => bytes(counters.sentBytes)],
  ['Stalled', ({ counters }) => shortCount(counters.stalled)],
  ['Memory', ({ totals }) => bytes(totals.rss)],
  ['Heap', ({ totals }) => bytes(totals.heap)],
];

/** The tiles: four charts, and numbers without one. */
export class Totals {
  #charts = CHARTS.map((setup) => new Chart(setup));
  #facts = FACTS.map(([title, text, warn]) => ({ value: make('dd', {}, '–'), title, text, warn }));

  constructor() {
    byId('charts').append(...this.#charts.map(({ element }) => element));
    byId('facts').append(
      ...this.#facts.map(({ title, value }) => {
        const name = WHO.has(title) ? make('a', TO_WHO, title) : title;
        return make('div', {}, make('dt', {}, name), value);
      }),
    );
  }

  /**
   * @param {Overview} overview
   * @param {readonly Sample[]} samples
   */
  show(overview, samples) {
    for (const chart of this.#charts) chart.show(samples);
    for (const { value, text, warn } of this.#facts) {
      setText(value, text(overview));
      value.dataset.tone = warn?.(overview) ? 'warn' : '';
    }
  }
}
