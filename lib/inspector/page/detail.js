import { ask } from './ask.js';
import { readersView } from './connections.js';
import { byId, make, setAttribute, setText } from './dom.js';
import { Events } from './events.js';
import { bytes, measure, shortCount } from './format.js';
import { Send } from './send.js';
import { Tabs } from './tabs.js';

/** @import { ChannelRow, Page } from '../contract.js' */
/** @import { Pulse } from './pulse.js' */
/** @import { Look, Route } from './route.js' */

/** @type {[title: string, text: (row: ChannelRow) => string][]} */
const FACTS = [
  ['Source', ({ source }) => source],
  ['Readers', ({ readers }) => shortCount(readers)],
  ['Events/s', ({ rate }) => measure(rate)],
  ['Received', ({ received }) => shortCount(received)],
  ['Retained', (row) => `${shortCount(row.events)} · ${bytes(row.bytes)}`],
  [
    'Lag',
    ({ lag, slow }) =>
      slow > 0 ? `${shortCount(lag)} · ${shortCount(slow)} slow` : shortCount(lag),
  ],
  ['Last id', ({ last }) => last ?? '–'],
];

const PARTS = { events: 'Events', readers: 'Connections', send: 'Send' };

/** What is known of one channel, beside the lists. */
export class Detail {
  /** The instance whose overview is shown. */
  instance = '';
  /** Told which instance has answered. @type {(instance: string) => void} */
  onInstance = () => {};

  #root = byId('detail');
  #route;
  #pulse;
  #events = new Events();
  #readers;
  #send = new Send();
  #tabs;
  #name = make('h2', { id: 'detail-title', tabindex: '-1' });
  #missing = make('p', { class: 'hint' }, 'This channel is not open on this instance.');
  #facts = make('dl', { class: 'channel-facts' });
  #values = FACTS.map(([title, text]) => ({ value: make('dd'), title, text }));
  #channel = '';
  #isAsking = false;
  /** Which instance the facts are of. */
  #factsOf = '';
  /** Whether the channel is open. */
  #isThere = false;
  #showsEvents = false;
  /** What had the focus before. @type {Element | null} */
  #before = null;
  #maySend = false;

  /**
   * @param {Route} route
   * @param {Pulse} pulse
   */
  constructor(route, pulse) {
    this.#route = route;
    this.#pulse = pulse;
    this.#readers = readersView(pulse, route);
    const close = make('button', { type: 'button', class: 'close' }, 'Close');
    close.addEventListener('click', () => this.#close());
    this.#facts.append(
      ...this.#values.map(({ title, value }) => make('div', {}, make('dt', {}, title), value)),
    );
    const list = make('div', { role: 'tablist', class: 'tabs', 'aria-label': 'Of the channel' });
    for (const [part, title] of Object.entries(PARTS)) {
      const id = `tab-${part}`;
      list.append(
        make(
          'button',
          { role: 'tab', id, 'data-tab': part, 'aria-controls': `part-${part}` },
          title,
        ),
      );
    }
    this.#root.append(
      make('div', { class: 'detail-head' }, this.#name, close),
      this.#missing,
      this.#facts,
      list,
      panel('events', this.#events.element),
      panel('readers', this.#readers.element),
      panel('send', this.#send.element),
    );
    this.#tabs = new Tabs(list, (part) => route.change({ part }));
    this.#root.addEventListener('keydown', (event) => event.key === 'Escape' && this.#close());
    pulse.onBeat(() => void this.#ask());
  }

  /** What the server allows. @param {boolean} showsData @param {boolean} maySend */
  allow(showsData, maySend) {
    this.#events.showData(showsData);
    if (maySend === this.#maySend && !this.#root.hidden) return;
    this.#maySend = maySend;
    this.show(this.#route.look);
  }

  /** @param {Readonly<Look>} look */
  show({ open, part }) {
    const isOther = open !== this.#channel;
    if (isOther && this.#channel === '') this.#before = document.activeElement;
    this.#channel = open;
    this.#root.hidden = open === '';
    document.body.classList.toggle('has-detail', open !== '');
    this.#send.show(open);
    this.#readers.search({ channel: open, sort: 'oldest' });
    const shown = part === 'send' && !this.#maySend ? 'events' : part;
    this.#tabs.offer('send', this.#maySend);
    this.#tabs.show(shown);
    this.#readers.rows.show(open !== '' && shown === 'readers');
    this.#showsEvents = shown === 'events';
    if (!isOther) {
      this.#showEvents();
      return;
    }
    this.#isThere = false;
    this.#factsOf = '';
    this.#events.show('');
    setText(this.#name, open);
    setAttribute(this.#name, 'title', open);
    this.#fill(undefined);
    this.#missing.hidden = true;
    if (open === '') {
      if (this.#before instanceof HTMLElement) this.#before.focus({ preventScroll: true });
      return;
    }
    if (this.#before !== document.body) {
      this.#name.focus({ preventScroll: true });
      // In a small window the detail takes the place of the lists, and its head may be out of sight.
      this.#root.scrollIntoView({ block: 'nearest' });
    }
    void this.#ask();
  }

  /** Asks for the events where somebody looks at them, and there may be any. */
  #showEvents() {
    if (this.#showsEvents && this.#isThere) this.#events.show(this.#channel);
  }

  #close() {
    this.#route.change({ open: '' }, 'push');
  }

  async #ask() {
    const channel = this.#channel;
    if (channel === '' || this.#isAsking || !this.#pulse.isRunning) return;
    this.#isAsking = true;
    try {
      /** @type {Page<ChannelRow>} */
      const { rows, instance = '' } = await ask('channels', { channel });
      const row = rows.find(({ name }) => name === channel);
      if (channel !== this.#channel) return;
      this.onInstance(instance);
      // Behind a balancer others answer as well: their facts do not take the place of those of this one.
      if (instance !== this.instance && this.#factsOf === this.instance) return;
      this.#factsOf = instance;
      this.#missing.hidden = row !== undefined;
      this.#isThere = row !== undefined;
      this.#fill(row);
      this.#showEvents();
    } catch {
      // The list beside it, or the line below the header, says so.
    } finally {
      this.#isAsking = false;
    }
    if (channel !== this.#channel) void this.#ask();
  }

  /** @param {ChannelRow | undefined} row */
  #fill(row) {
    for (const { value, text } of this.#values) {
      const shown = row ? text(row) : '–';
      setText(value, shown);
      setAttribute(value, 'title', shown);
    }
    this.#send.showReaders(row?.readers ?? 0);
  }
}

/**
 * @param {string} part
 * @param {Node} content
 */
function panel(part, content) {
  const attributes = {
    role: 'tabpanel',
    id: `part-${part}`,
    'aria-labelledby': `tab-${part}`,
    class: 'part',
  };
  return make('div', attributes, content);
}
