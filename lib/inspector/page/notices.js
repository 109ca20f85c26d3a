import { byId, setText } from './dom.js';

/**
 * The line below the header, for what is wrong, and what screen readers are told. Each kind of notice has one
 * text; the first kind that has one is shown.
 */
export class Notices {
  #line = byId('notice');
  #said = byId('said');
  /** @type {Map<string, string>} */
  #texts = new Map();

  /**
   * @param {'stream' | 'instance'} kind
   * @param {string | undefined} text nothing takes the notice away
   */
  show(kind, text) {
    if (text) this.#texts.set(kind, text);
    else this.#texts.delete(kind);
    const shown = this.#texts.get('stream') ?? this.#texts.get('instance') ?? '';
    setText(this.#line, shown);
    this.#line.hidden = shown === '';
  }

  /** For screen readers only, and seldom. @param {string} text */
  say(text) {
    setText(this.#said, text);
  }
}
