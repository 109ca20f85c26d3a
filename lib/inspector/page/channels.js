import { fill, searchField, selectField } from './fields.js';
import { bytes, measure, shortCount } from './format.js';
import { ListView } from './list-view.js';

/** @import { ChannelRow } from '../contract.js' */
/** @import { Pulse } from './pulse.js' */
/** @import { Look, Route } from './route.js' */
/** @import { Column } from './grid-parts.js' */

const ORDERS = {
  name: 'Name',
  readers: 'Most readers',
  rate: 'Highest rate',
  events: 'Most events',
  lag: 'Largest lag',
};

/** @type {Column<ChannelRow>[]} */
const COLUMNS = [
  { key: 'name', title: 'Name', kind: 'text', sort: 'name', text: ({ name }) => name },
  { key: 'source', title: 'Source', kind: 'text', text: ({ source }) => source },
  {
    key: 'readers',
    title: 'Readers',
    kind: 'number',
    sort: 'readers',
    text: ({ readers }) => shortCount(readers),
  },
  {
    key: 'rate',
    title: 'Events/s',
    kind: 'number',
    sort: 'rate',
    text: ({ rate }) => measure(rate),
  },
  {
    key: 'events',
    title: 'Retained',
    kind: 'number',
    sort: 'events',
    text: ({ events }) => shortCount(events),
  },
  { key: 'bytes', title: 'Size', kind: 'number', text: (row) => bytes(row.bytes) },
  {
    key: 'lag',
    title: 'Lag',
    kind: 'number',
    sort: 'lag',
    text: ({ lag, slow }) =>
      slow > 0 ? `${shortCount(lag)} · ${shortCount(slow)} slow` : shortCount(lag),
    tone: ({ slow }) => (slow > 0 ? 'warn' : ''),
  },
];

/** The list of channels. */
export class Channels {
  #filter;
  #order;
  #look = { filter: '' };

  /**
   * @param {Route} route
   * @param {Pulse} pulse
   */
  constructor(route, pulse) {
    this.#filter = searchField(
      'Filter the channels by name',
      'Filter by name  (press /)',
      (filter) => route.change({ filter }),
    );
    this.#order = selectField('Sort the channels', ORDERS, (sort) => route.change({ sort }));
    this.#order.className = 'order';
    /** @type {ListView<ChannelRow>} */
    this.view = new ListView({
      label: 'Channels',
      route: 'channels',
      columns: COLUMNS,
      none: () =>
        this.#look.filter === ''
          ? 'No channel is open. One opens when its first client comes, or its first event.'
          : `No channel has “${this.#look.filter}” in its name.`,
      pulse,
      fields: [this.#filter, this.#order],
    });
    this.view.list.onSort = (sort) => route.change({ sort });
    this.view.list.onOpen = ({ name }) => route.change({ open: name }, 'push');
    this.view.list.isOpen = ({ name }) => name === route.look.open;
  }

  /** Puts the cursor where one types a filter. */
  focusFilter() {
    this.#filter.focus();
    this.#filter.select();
  }

  /** @param {Readonly<Look>} look */
  show(look) {
    this.#look = look;
    fill(this.#filter, look.filter);
    this.#order.value = look.sort;
    this.view.search({ filter: look.filter, sort: look.sort });
    this.view.rows.show(look.tab === 'channels');
    this.view.list.update();
  }
}
