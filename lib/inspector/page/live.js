import { AskError, ask, routeUrl } from './ask.js';

/** @import { Overview } from '../overview.js' */

/**
 * @typedef {'connecting' | 'live' | 'late' | 'away' | 'refused'} StreamState
 * @typedef {object} LiveListener
 * @property {(overview: Overview) => void} onOverview
 * @property {(state: StreamState, text: string, why?: string) => void} onState
 */

/** An overview comes each second. After so many ms without one the page says so. */
const LATE = 4_500;
/** After so many ms it asks anew. */
const LOST = 15_000;
const LONGEST_PAUSE = 8_000;

/**
 * The stream of overviews. It is closed while the document is hidden. When it breaks, it is opened again,
 * also after answers for which an EventSource gives up.
 */
export class Live {
  /** @type {EventSource | undefined} */
  #source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #watch;
  #attempts = 0;
  #heardAt = 0;
  #listener;

  /** @param {LiveListener} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /** From now on, for as long as the page is there. */
  start() {
    document.addEventListener('visibilitychange', () => this.#update());
    addEventListener('online', () => this.#retry !== undefined && this.#open());
    this.#update();
  }

  #update() {
    if (document.hidden) this.#close();
    else if (!this.#source) this.#open();
  }

  #close() {
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    this.#retry = undefined;
    this.#source?.close();
    this.#source = undefined;
  }

  #open() {
    this.#close();
    if (this.#attempts === 0) this.#listener.onState('connecting', 'Connecting');
    const source = new EventSource(routeUrl('live'));
    this.#source = source;
    this.#heardAt = performance.now();
    source.addEventListener('overview', ({ data }) => {
      this.#attempts = 0;
      this.#heardAt = performance.now();
      this.#listener.onState('live', 'Live');
      this.#listener.onOverview(JSON.parse(data));
    });
    source.addEventListener('error', () => void this.#lost());
    this.#watch = setInterval(() => this.#check(), 1_000);
  }

  #check() {
    const silence = performance.now() - this.#heardAt;
    if (silence > LOST) void this.#lost();
    else if (silence > LATE) {
      this.#listener.onState('late', `No news for ${Math.floor(silence / 1_000)} s`);
    }
  }

  async #lost() {
    this.#close();
    if (document.hidden) return;
    const pause = Math.min(LONGEST_PAUSE, 1_000 * 2 ** this.#attempts);
    this.#attempts += 1;
    const again = `Trying again every ${pause / 1_000} s.`;
    this.#listener.onState(
      'away',
      'Disconnected',
      `The connection to the server is lost. ${again}`,
    );
    // Set before the question below, so that a new document state finds the timer to clear.
    const retry = setTimeout(() => this.#open(), pause);
    this.#retry = retry;
    // An EventSource does not tell why; an ordinary request does.
    const why = await refusal();
    if (why !== undefined && this.#retry === retry) {
      this.#listener.onState('refused', 'Refused', `${why} ${again}`);
    }
  }
}

/** Why the server refuses, if it does so. */
async function refusal() {
  try {
    await ask('channels', { limit: 1 });
    return undefined;
  } catch (error) {
    return error instanceof AskError && error.status !== 0 ? error.message : undefined;
  }
}
