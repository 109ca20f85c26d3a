import { fill, searchField, selectField } from './fields.js';
import { duration, shortCount } from './format.js';
import { ListView } from './list-view.js';

/** @import { ConnectionRow } from '../contract.js' */
/** @import { Pulse } from './pulse.js' */
/** @import { Look, Route } from './route.js' */
/** @import { Column } from './grid-parts.js' */

const ORDERS = {
  oldest: 'Oldest',
  newest: 'Newest',
  lag: 'Longest without reading',
  backlog: 'Largest backlog',
};

/** What the clock of the server shows, more or less: connections tell when they were opened. */
export const clock = { ahead: 0 };

/** @type {Column<ConnectionRow>} */
const CHANNELS = {
  key: 'channels',
  title: 'Channels',
  kind: 'text',
  text: ({ channels, channelCount }) =>
    channels.join(', ') +
    (channelCount > channels.length ? ` and ${channelCount - channels.length} more` : ''),
};

/** @type {Column<ConnectionRow>[]} */
const COLUMNS = [
  { key: 'client', title: 'Client', kind: 'text', text: ({ client }) => client ?? '–' },
  CHANNELS,
  {
    key: 'age',
    title: 'Open for',
    kind: 'number',
    text: ({ openedAt }) => duration(Math.max(0, Date.now() + clock.ahead - openedAt)),
  },
  {
    key: 'lag',
    title: 'Not reading',
    kind: 'number',
    sort: 'lag',
    text: ({ lag }) => (lag > 0 ? `for ${duration(lag)}` : '–'),
    tone: ({ lag }) => (lag > 0 ? 'warn' : ''),
  },
  {
    key: 'backlog',
    title: 'Backlog',
    kind: 'number',
    sort: 'backlog',
    text: ({ backlog }) => shortCount(backlog),
  },
  { key: 'id', title: 'Id', kind: 'text', text: ({ id }) => id },
  {
    key: 'info',
    title: 'Info',
    kind: 'text',
    isOptional: true,
    text: ({ info }) => (info === undefined ? '' : JSON.stringify(info)),
  },
];

/** The list of connections. */
export class Connections {
  #channel;
  #client;
  #order;
  /** @type {Pick<Look, 'channel' | 'client'>} */
  #look = { channel: '', client: '' };

  /**
   * @param {Route} route
   * @param {Pulse} pulse
   */
  constructor(route, pulse) {
    this.#channel = searchField(
      'Only connections of this channel',
      'Channel, its whole name',
      (channel) => route.change({ channel }),
    );
    this.#client = searchField(
      'Only connections of this client',
      'Client, its whole name',
      (client) => route.change({ client }),
    );
    this.#order = selectField('Sort the connections', ORDERS, (order) => route.change({ order }));
    /** @type {ListView<ConnectionRow>} */
    this.view = new ListView({
      label: 'Connections',
      route: 'connections',
      columns: COLUMNS,
      none: () =>
        this.#look.channel + this.#look.client === ''
          ? 'No client is connected.'
          : 'No connection has this channel and client.',
      pulse,
      fields: [this.#channel, this.#client, this.#order],
    });
    this.view.list.onSort = (order) => route.change({ order });
    this.view.list.onOpen = ({ channels: [name] }) => {
      if (name !== undefined) route.change({ open: name, part: 'readers' }, 'push');
    };
  }

  /** @param {Readonly<Look>} look */
  show(look) {
    this.#look = look;
    fill(this.#channel, look.channel);
    fill(this.#client, look.client);
    this.#order.value = look.order;
    this.view.search({ channel: look.channel, client: look.client, sort: look.order });
    this.view.rows.show(look.tab === 'connections');
  }
}

/**
 * The connections of one channel, for its detail.
 * @param {Pulse} pulse
 * @param {Route} route
 */
export function readersView(pulse, route) {
  /** @type {ListView<ConnectionRow>} */
  const view = new ListView({
    label: 'Connections of the channel',
    route: 'connections',
    columns: COLUMNS.filter(({ key }) => ['client', 'age', 'lag', 'backlog'].includes(key)),
    none: () => 'No client reads this channel.',
    pulse,
    fields: [],
  });
  view.list.onOpen = ({ client }) => {
    if (client !== undefined) route.change({ tab: 'connections', client, channel: '' }, 'push');
  };
  return view;
}
