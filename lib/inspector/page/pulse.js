/**
 * A beat each second for what is asked again and again. It stands still while the document is hidden, and
 * while the server is away.
 */
export class Pulse {
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #mayRun = true;

  constructor() {
    document.addEventListener('visibilitychange', () => this.#update());
    this.#update();
  }

  get isRunning() {
    return this.#timer !== undefined;
  }

  /** Whether the server can be asked. @param {boolean} mayRun */
  allow(mayRun) {
    if (mayRun === this.#mayRun) return;
    this.#mayRun = mayRun;
    this.#update();
  }

  /** @param {() => void} listener */
  onBeat(listener) {
    this.#listeners.add(listener);
  }

  #update() {
    const runs = this.#mayRun && !document.hidden;
    if (runs === this.isRunning) return;
    if (!runs) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const beat = () => {
      for (const listener of this.#listeners) listener();
    };
    this.#timer = setInterval(beat, 1_000);
    beat();
  }
}
