import { AskError, ask } from './ask.js';
import { make, setText } from './dom.js';
import { EventLines, MOST_LINES } from './event-lines.js';
import { Follow } from './follow.js';
import { counted } from './format.js';

/** @import { ShownEvent } from '../contract.js' */

/** What the state of following is called. */
const STATES = {
  off: '',
  connecting: 'Connecting…',
  on: 'Following',
  gone: 'The channel was closed. Follow it again once it is open.',
};

/** The events of a channel: what is retained, and what comes. */
export class Events {
  #channel = '';
  #lines = new EventLines();
  #follow;
  /** What is followed while the history is on its way. @type {ShownEvent[] | undefined} */
  #early;
  #start = make('button', { type: 'button', class: 'primary' }, 'Follow');
  #pause = make('button', { type: 'button' }, 'Pause');
  #clear = make('button', { type: 'button' }, 'Clear');
  #refresh = make('button', { type: 'button' }, 'Refresh');
  #state = make('span', { class: 'follow-state' });
  #hint = make('p', { class: 'hint' });

  constructor() {
    this.#follow = new Follow({
      onEvents: (events) => {
        this.#early?.push(...events);
        this.#lines.add(events);
        this.#showHint('');
      },
      onSkipped: (skipped) =>
        this.#lines.note(`${counted(skipped, 'event')} left out: more than 50 in a second.`),
      onState: () => this.#showState(),
      // What came before the stream was open, or while it was not.
      onOpen: () => void this.#load(),
    });
    this.#start.addEventListener('click', () => {
      if (['off', 'gone'].includes(this.#follow.state)) this.#follow.start(this.#channel);
      else this.#follow.stop();
    });
    this.#pause.addEventListener('click', () => this.#follow.pause(!this.#follow.isPaused));
    this.#clear.addEventListener('click', () => {
      this.#lines.clear();
      this.#showHint('Cleared.');
    });
    this.#refresh.addEventListener('click', () => void this.#load());
    this.element = make(
      'div',
      { class: 'events-part' },
      make(
        'div',
        { class: 'actions' },
        this.#start,
        this.#pause,
        this.#clear,
        this.#refresh,
        this.#state,
      ),
      this.#hint,
      make(
        'div',
        { class: 'events-scroll', tabindex: '0', role: 'region', 'aria-label': 'Events' },
        this.#lines.element,
      ),
    );
    this.#allow(false);
    this.#showState();
  }

  /** @param {string} channel empty for none */
  show(channel) {
    if (channel === this.#channel) return;
    this.#channel = channel;
    this.#allow(channel !== '');
    this.#follow.stop();
    this.#early = undefined;
    this.#lines.clear();
    if (channel !== '') void this.#load();
  }

  /** Without a channel there is nothing to follow. @param {boolean} isAllowed */
  #allow(isAllowed) {
    for (const button of [this.#start, this.#clear, this.#refresh]) button.disabled = !isAllowed;
  }

  /** Whether data is told at all. @param {boolean} isShown */
  showData(isShown) {
    this.element.classList.toggle('has-data', isShown);
  }

  async #load() {
    const channel = this.#channel;
    this.#showHint('Loading…');
    /** @type {ShownEvent[]} */
    const early = [];
    this.#early = early;
    try {
      /** @type {{ events: ShownEvent[] }} */
      const { events } = await ask('history', { channel, limit: 100 });
      if (this.#early !== early) return;
      this.#early = undefined;
      this.#lines.clear();
      this.#lines.add(events.toReversed());
      this.#lines.add(early);
      this.#showHint(this.#lines.size > 0 ? '' : 'This instance retains no event of the channel.');
    } catch (error) {
      if (this.#early !== early) return;
      this.#early = undefined;
      const { message } = /** @type {Error} */ (error);
      const isClosed = error instanceof AskError && error.status === 404;
      this.#showHint(
        isClosed ? 'The channel is not open on this instance: it retains nothing.' : message,
      );
    }
  }

  /** @param {string} text */
  #showHint(text) {
    const isFull = this.#lines.size >= MOST_LINES;
    setText(this.#hint, text || (isFull ? `The newest ${MOST_LINES} events.` : ''));
    this.#hint.hidden = this.#hint.textContent === '';
  }

  #showState() {
    const { state, isPaused, missed, why } = this.#follow;
    const isOn = state === 'on' || state === 'connecting' || state === 'away';
    const isHeld = isPaused && isOn && state !== 'away';
    setText(this.#start, isOn ? 'Stop' : 'Follow');
    this.#start.classList.toggle('primary', !isOn);
    this.#pause.hidden = !isOn;
    this.#refresh.hidden = isOn;
    setText(this.#pause, isPaused ? 'Go on' : 'Pause');
    const pause = missed > 0 ? `Paused, ${counted(missed, 'event')} since` : 'Paused';
    setText(this.#state, isHeld ? pause : state === 'away' ? why : STATES[state]);
    this.#state.dataset.state = isHeld ? 'paused' : state;
  }
}
