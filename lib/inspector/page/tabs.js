import { setAttribute } from './dom.js';

/**
 * Tabs by the pattern of WAI-ARIA: one of them has the focus, the arrow keys choose another.
 * https://www.w3.org/WAI/ARIA/apg/patterns/tabs/
 */
export class Tabs {
  #buttons;

  /**
   * @param {HTMLElement} list its buttons have `data-tab` and `aria-controls`
   * @param {(tab: string) => void} onChoose
   */
  constructor(list, onChoose) {
    /** @type {HTMLButtonElement[]} */
    this.#buttons = [...list.querySelectorAll('button')];
    for (const button of this.#buttons) {
      button.type = 'button';
      button.addEventListener('click', () => onChoose(button.dataset.tab ?? ''));
    }
    list.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step === undefined) return;
      const shown = this.#buttons.filter(({ hidden }) => !hidden);
      const now = shown.findIndex((button) => button === document.activeElement);
      const next = shown.at((now + step) % shown.length);
      next?.focus();
      next?.click();
      event.preventDefault();
    });
  }

  /** Takes a tab away, or gives it back. @param {string} tab @param {boolean} isThere */
  offer(tab, isThere) {
    for (const button of this.#buttons) if (button.dataset.tab === tab) button.hidden = !isThere;
  }

  /** @param {string} chosen */
  show(chosen) {
    for (const button of this.#buttons) {
      const isChosen = button.dataset.tab === chosen;
      setAttribute(button, 'aria-selected', String(isChosen));
      button.tabIndex = isChosen ? 0 : -1;
      const panel = document.getElementById(button.getAttribute('aria-controls') ?? '');
      if (panel) panel.hidden = !isChosen;
    }
  }
}
