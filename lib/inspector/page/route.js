/**
 * What the user looks at. It stands in the hash of the address, so that it outlives a reload and can be sent
 * to somebody; and the browser's Back goes to what was looked at before.
 *
 * @typedef {object} Look
 * @property {string} tab `channels` or `connections`
 * @property {string} filter what names of channels contain
 * @property {string} sort of the channels
 * @property {string} open the channel whose detail is shown; empty for none
 * @property {string} part of the detail: `events`, `readers` or `send`
 * @property {string} channel whose connections are listed; empty for all
 * @property {string} client whose connections are listed; empty for all
 * @property {string} order of the connections
 */

/** @type {Readonly<Look>} */
const DEFAULTS = {
  tab: 'channels',
  filter: '',
  sort: 'name',
  open: '',
  part: 'events',
  channel: '',
  client: '',
  order: 'oldest',
};

/** What else than the default a field may be. @type {Partial<Record<keyof Look, readonly string[]>>} */
const ALLOWED = {
  tab: ['channels', 'connections'],
  sort: ['name', 'readers', 'events', 'rate', 'lag'],
  part: ['events', 'readers', 'send'],
  order: ['oldest', 'newest', 'lag', 'backlog'],
};

export class Route {
  /** @type {Set<(look: Readonly<Look>) => void>} */
  #listeners = new Set();

  /** @type {Readonly<Look>} */
  look = read();

  constructor() {
    addEventListener('popstate', () => this.#follow());
    addEventListener('hashchange', () => this.#follow());
  }

  /** Calls the listener now and after every change. @param {(look: Readonly<Look>) => void} listener */
  onChange(listener) {
    this.#listeners.add(listener);
    listener(this.look);
  }

  /**
   * @param {Partial<Look>} change
   * @param {'push' | 'replace'} [how] whether Back undoes it
   */
  change(change, how = 'replace') {
    const look = { ...this.look, ...change };
    const hash = write(look);
    if (hash === write(this.look)) return;
    this.look = look;
    if (how === 'push') history.pushState(null, '', hash);
    else history.replaceState(null, '', hash);
    this.#tell();
  }

  #follow() {
    // The link that skips to the lists says nothing about what to look at.
    if (location.hash === '#lists') return;
    this.look = read();
    this.#tell();
  }

  #tell() {
    for (const listener of this.#listeners) listener(this.look);
  }
}

/** @returns {Look} */
function read() {
  const look = { ...DEFAULTS };
  const query = new URLSearchParams(location.hash.slice(1));
  for (const key of /** @type {(keyof Look)[]} */ (Object.keys(DEFAULTS))) {
    const value = query.get(key);
    if (value === null || (ALLOWED[key] && !ALLOWED[key].includes(value))) continue;
    look[key] = value;
  }
  return look;
}

/** @param {Look} look */
function write(look) {
  const query = new URLSearchParams();
  for (const key of /** @type {(keyof Look)[]} */ (Object.keys(DEFAULTS))) {
    if (look[key] !== DEFAULTS[key]) query.set(key, look[key]);
  }
  return `#${query}`;
}
