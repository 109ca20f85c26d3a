import { AskError } from './ask.js';

const LONGEST_PAUSE = 8_000;

/**
 * @typedef {object} StreamPlan
 * @property {() => string} url
 * @property {() => Promise<unknown>} ask an ordinary request: it tells why the server refuses, and an EventSource does not
 * @property {number} [linger] for how many ms it stays open in a hidden document; default: 0
 * @property {(source: EventSource, isRetry: boolean) => void} onSource adds listeners to what is being opened
 * @property {(again: string, why?: string) => void} onLost called again once it is known why the server refuses
 */

/**
 * A stream of events. It is closed while the document is hidden. When it breaks, it is opened again, also after
 * answers for which an EventSource gives up.
 */
export class SteadyStream {
  #plan;
  #isWanted = false;
  /** @type {EventSource | undefined} */
  #source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #leaving;
  #attempts = 0;

  /** @param {StreamPlan} plan */
  constructor(plan) {
    this.#plan = plan;
    document.addEventListener('visibilitychange', () => this.#update());
    addEventListener('online', () => this.#retry !== undefined && this.#open());
  }

  get isOpen() {
    return this.#source !== undefined;
  }

  start() {
    this.stop();
    this.#isWanted = true;
    this.#update();
  }

  stop() {
    this.#isWanted = false;
    this.#attempts = 0;
    this.#close();
  }

  /** The stream is as it should be: if it breaks, the next attempt comes soon. */
  works() {
    this.#attempts = 0;
  }

  #update() {
    clearTimeout(this.#leaving);
    if (!this.#isWanted) return;
    if (!document.hidden) {
      if (!this.#source) this.#open();
      return;
    }
    const { linger = 0 } = this.#plan;
    if (linger === 0) this.#close();
    else this.#leaving = setTimeout(() => this.#close(), linger);
  }

  #close() {
    clearTimeout(this.#leaving);
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#source?.close();
    this.#source = undefined;
  }

  #open() {
    this.#close();
    const source = new EventSource(this.#plan.url());
    this.#source = source;
    source.addEventListener('error', () => void this.lost());
    this.#plan.onSource(source, this.#attempts > 0);
  }

  /** The stream has broken, or is silent for too long. */
  async lost() {
    this.#close();
    if (document.hidden) return;
    const pause = Math.min(LONGEST_PAUSE, 1_000 * 2 ** this.#attempts);
    this.#attempts += 1;
    const again = `Trying again every ${pause / 1_000} s.`;
    this.#plan.onLost(again);
    // Set before the question below, so that a new document state finds the timer to clear.
    const retry = setTimeout(() => this.#open(), pause);
    this.#retry = retry;
    const why = await refusal(this.#plan.ask);
    if (why !== undefined && this.#retry === retry) this.#plan.onLost(again, why);
  }
}

/**
 * Why the server refuses, if it does so.
 * @param {() => Promise<unknown>} ask
 */
async function refusal(ask) {
  try {
    await ask();
    return undefined;
  } catch (error) {
    return error instanceof AskError && error.status !== 0 ? error.message : undefined;
  }
}
