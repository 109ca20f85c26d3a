import { ask, routeUrl } from './ask.js';
import { SteadyStream } from './steady-stream.js';

/** @import { ShownEvent } from '../contract.js' */

/**
 * @typedef {'off' | 'connecting' | 'on' | 'away' | 'gone'} FollowState
 * @typedef {object} FollowListener
 * @property {(events: ShownEvent[]) => void} onEvents at most once for each frame; the oldest first
 * @property {(count: number) => void} onSkipped how many events the server has left out
 * @property {() => void} onOpen the stream is open, also after it was lost
 * @property {(state: FollowState) => void} onState
 */

/** How many events wait for the next frame, or for the end of a pause. */
const MOST_WAITING = 500;
/** For how many ms a hidden document goes on: a short look at another tab leaves no gap. */
const LINGER = 10_000;

/** The events of a channel as they come. A pause keeps the newest of them until it is over. */
export class Follow {
  isPaused = false;
  /** @type {FollowState} */
  state = 'off';
  /** How many events have come during the pause. */
  missed = 0;
  /** Why nothing comes in the state `away`. */
  why = '';

  #listener;
  #channel = '';
  #stream;
  /** @type {ShownEvent[]} */
  #waiting = [];
  #timer = 0;

  /** @param {FollowListener} listener */
  constructor(listener) {
    this.#listener = listener;
    this.#stream = new SteadyStream({
      url: () => routeUrl('follow', { channel: this.#channel }),
      ask: () => ask('history', { channel: this.#channel, limit: 1 }),
      linger: LINGER,
      onSource: (source, isRetry) => this.#listen(source, isRetry),
      onLost: (again, why = 'The connection is lost, or the server refuses.') => {
        this.why = `${why} ${again}`;
        this.state = 'away';
        listener.onState('away');
      },
    });
  }

  /** @param {string} channel */
  start(channel) {
    this.stop();
    this.#channel = channel;
    this.#stream.start();
  }

  /**
   * @param {EventSource} source
   * @param {boolean} isRetry
   */
  #listen(source, isRetry) {
    if (!isRetry) this.#change('connecting');
    source.addEventListener('open', () => {
      this.#stream.works();
      this.#change('on');
      this.#listener.onOpen();
    });
    source.addEventListener('event', ({ data }) => this.#take(JSON.parse(data)));
    source.addEventListener('skipped', ({ data }) => {
      if (!this.isPaused) this.#listener.onSkipped(JSON.parse(data).count);
    });
    source.addEventListener('gone', () => {
      this.#flush();
      this.#end('gone');
    });
  }

  stop() {
    this.isPaused = false;
    this.#waiting = [];
    this.#end('off');
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    this.isPaused = isPaused;
    this.missed = 0;
    if (!isPaused) this.#flush();
    this.#listener.onState(this.state);
  }

  /** @param {ShownEvent} event */
  #take(event) {
    this.#waiting.push(event);
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
    if (this.isPaused) {
      this.missed += 1;
      this.#listener.onState(this.state);
      return;
    }
    // Not by frames: a hidden document has none.
    this.#timer ||= window.setTimeout(() => this.#flush(), 50);
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const events = this.#waiting;
    this.#waiting = [];
    if (events.length > 0) this.#listener.onEvents(events);
  }

  /** @param {FollowState} state */
  #end(state) {
    this.#stream.stop();
    this.#change(state);
  }

  /** @param {FollowState} state */
  #change(state) {
    if (state === this.state) return;
    this.state = state;
    this.#listener.onState(state);
  }
}
