import { make, setText } from './dom.js';
import { Rows } from './rows.js';
import { VirtualList } from './virtual-list.js';

/** @import { Pulse } from './pulse.js' */
/** @import { Column } from './grid-parts.js' */

/**
 * A list with its fields above, and a line in place of rows that says why there are none.
 * @template Row
 */
export class ListView {
  /** Told when the number of rows may have changed. @type {(total: number | undefined) => void} */
  onTotal = () => {};

  #empty = make('p', { class: 'empty' });
  #error = make('p', { class: 'error', role: 'alert' });
  #texts;
  #optional;

  /**
   * @param {object} setup
   * @param {string} setup.label
   * @param {string} setup.route
   * @param {readonly Column<Row>[]} setup.columns
   * @param {() => string} setup.none what is said when there are no rows
   * @param {Pulse} setup.pulse
   * @param {readonly Node[]} setup.fields
   */
  constructor({ label, route, columns, none, pulse, fields }) {
    /** @type {Rows<Row>} */
    this.rows = new Rows(route, pulse);
    /** @type {VirtualList<Row>} */
    this.list = new VirtualList(label, columns, this.rows);
    this.#texts = { none };
    this.#optional = columns.filter(({ isOptional }) => isOptional);
    this.#error.hidden = true;
    this.rows.onChange = () => this.#update();
    const bar =
      fields.length > 0 ? [make('div', { class: 'fields', role: 'search' }, ...fields)] : [];
    this.element = make(
      'div',
      { class: 'list-view' },
      ...bar,
      this.#error,
      make('div', { class: 'grid-frame' }, this.list.element, this.#empty),
    );
    this.#update();
  }

  /** Lists other rows. @param {Readonly<Record<string, string>>} query */
  search(query) {
    this.rows.search(query);
    this.list.showOrder(query['sort'] ?? '');
  }

  #update() {
    const { total, error } = this.rows;
    setText(this.#empty, total === undefined ? 'Loading…' : this.#texts.none());
    this.#empty.hidden = Boolean(total) || (total === undefined && error !== undefined);
    setText(this.#error, error === undefined ? '' : `The list cannot be read. ${error}`);
    this.#error.hidden = error === undefined;
    if (total === undefined) this.list.toTop();
    else this.#showColumns();
    this.list.update();
    this.onTotal(total);
  }

  /** Nothing is known of rows that are not at hand: a column may come while one scrolls. */
  #showColumns() {
    const rows = [...this.rows.known()];
    for (const { key, text } of this.#optional) {
      this.element.classList.toggle(
        `has-${key}`,
        rows.some((row) => text(row) !== ''),
      );
    }
  }
}
