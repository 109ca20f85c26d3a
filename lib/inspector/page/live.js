import { ask, routeUrl } from './ask.js';
import { SteadyStream } from './steady-stream.js';

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

/** The stream of overviews. */
export class Live {
  #heardAt = 0;
  #listener;
  #stream;

  /** @param {LiveListener} listener */
  constructor(listener) {
    this.#listener = listener;
    this.#stream = new SteadyStream({
      url: () => routeUrl('live'),
      ask: () => ask('channels', { limit: 1 }),
      onSource: (source, isRetry) => this.#listen(source, isRetry),
      onLost: (again, why) => {
        if (why !== undefined) listener.onState('refused', 'Refused', `${why} ${again}`);
        else
          listener.onState(
            'away',
            'Disconnected',
            `The connection to the server is lost. ${again}`,
          );
      },
    });
  }

  /** From now on, for as long as the page is there. */
  start() {
    this.#stream.start();
    setInterval(() => this.#check(), 1_000);
  }

  /**
   * @param {EventSource} source
   * @param {boolean} isRetry
   */
  #listen(source, isRetry) {
    if (!isRetry) this.#listener.onState('connecting', 'Connecting');
    this.#heardAt = performance.now();
    source.addEventListener('overview', ({ data }) => {
      this.#stream.works();
      this.#heardAt = performance.now();
      this.#listener.onState('live', 'Live');
      this.#listener.onOverview(JSON.parse(data));
    });
  }

  #check() {
    if (!this.#stream.isOpen) return;
    const silence = performance.now() - this.#heardAt;
    if (silence > LOST) void this.#stream.lost();
    else if (silence > LATE) {
      this.#listener.onState('late', `No news for ${Math.floor(silence / 1_000)} s`);
    }
  }
}
