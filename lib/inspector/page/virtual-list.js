import { make, setAttribute, setText } from './dom.js';
import { gridRow, headingOf } from './grid-parts.js';

/** @import { Column, GridRow } from './grid-parts.js' */
/** @import { Rows } from './rows.js' */

/** Rows that are in the document above and below the visible ones. */
const SPARE = 4;
/** Browsers cannot lay out a taller element, in px. */
const TALLEST = 8_000_000;
let lists = 0;

/**
 * A grid of which only the visible rows are in the document. The focus stays on the grid, and
 * `aria-activedescendant` names the row that the keys have chosen.
 *
 * @template Row
 */
export class VirtualList {
  /** @type {(row: Row) => void} */
  onOpen = () => {};
  /** @type {(order: string) => void} */
  onSort = () => {};
  /** Whether the row is the one whose detail is shown. @type {(row: Row) => boolean} */
  isOpen = () => false;

  #id = `list-${++lists}`;
  #rows;
  #columns;
  #head;
  #body = make('div', { role: 'rowgroup', class: 'grid-body' });
  /** @type {GridRow[]} */
  #elements = [];
  #active = -1;
  #rowHeight = 30;
  /** While a pointer is down no row moves away under it. */
  #isPressed = false;
  /** Whether the next frame draws the rows anew. */
  #isDue = false;

  /**
   * @param {string} label
   * @param {readonly Column<Row>[]} columns
   * @param {Rows<Row>} rows
   */
  constructor(label, columns, rows) {
    this.#columns = columns;
    this.#rows = rows;
    this.#head = make('div', { role: 'row', 'aria-rowindex': '1', class: 'grid-row grid-head' });
    for (const column of columns)
      this.#head.append(headingOf(column, (order) => this.onSort(order)));
    this.element = make(
      'div',
      {
        role: 'grid',
        'aria-label': label,
        'aria-colcount': String(columns.length),
        tabindex: '0',
        class: 'grid',
      },
      make('div', { role: 'rowgroup' }, this.#head),
      this.#body,
    );
    this.element.addEventListener('scroll', () => this.#soon(), { passive: true });
    this.element.addEventListener('keydown', (event) => this.#key(event));
    this.#body.addEventListener('pointerdown', () => (this.#isPressed = true));
    for (const type of ['pointerup', 'pointercancel', 'blur']) {
      addEventListener(type, () => setTimeout(() => (this.#isPressed = false)));
    }
    this.#body.addEventListener('click', (event) => this.#click(event));
    new ResizeObserver(() => this.#soon()).observe(this.element);
  }

  /** Marks the column by which the rows are sorted. @param {string} order */
  showOrder(order) {
    for (const [n, { sort, kind }] of this.#columns.entries()) {
      const sorted = sort !== order ? undefined : kind === 'text' ? 'ascending' : 'descending';
      setAttribute(/** @type {Element} */ (this.#head.children[n]), 'aria-sort', sorted);
    }
  }

  /** Goes to the first row: other rows are listed from now on. */
  toTop() {
    this.#active = -1;
    this.element.scrollTop = 0;
  }

  /** Shows what the rows are by now. */
  update() {
    if (!this.#isPressed) this.#draw();
  }

  #soon() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw() {
    const { clientHeight, scrollTop } = this.element;
    if (clientHeight === 0) return;
    this.#rowHeight =
      Number.parseFloat(getComputedStyle(this.element).getPropertyValue('--row')) || 30;
    const total = Math.min(this.#rows.total ?? 0, Math.floor(TALLEST / this.#rowHeight));
    const visible = Math.ceil(clientHeight / this.#rowHeight);
    const top = Math.min(Math.floor(scrollTop / this.#rowHeight), Math.max(0, total - visible));
    const first = Math.max(0, top - SPARE);
    const count = Math.min(total, top + visible + SPARE) - first;
    this.#body.style.height = `${total * this.#rowHeight}px`;
    this.element.setAttribute(
      'aria-rowcount',
      String(this.#rows.total === undefined ? -1 : total + 1),
    );
    this.#rows.look(first, visible + 2 * SPARE);
    this.#grow(count);
    for (const [n, element] of this.#elements.entries()) this.#write(element, first + n);
    if (this.#active >= total) this.#active = total - 1;
    const shown = this.#elements.findIndex(({ index }) => index === this.#active);
    setAttribute(
      this.element,
      'aria-activedescendant',
      shown < 0 ? undefined : `${this.#id}-${shown}`,
    );
  }

  /** @param {number} count */
  #grow(count) {
    while (this.#elements.length > count) this.#elements.pop()?.row.remove();
    while (this.#elements.length < count) {
      const element = gridRow(`${this.#id}-${this.#elements.length}`, this.#columns);
      this.#body.append(element.row);
      this.#elements.push(element);
    }
  }

  /**
   * @param {GridRow} element
   * @param {number} index
   */
  #write(element, index) {
    const { row, cells } = element;
    const data = this.#rows.at(index);
    element.index = index;
    setAttribute(row, 'aria-rowindex', String(index + 2));
    row.style.transform = `translateY(${index * this.#rowHeight}px)`;
    row.classList.toggle('is-active', index === this.#active);
    row.classList.toggle('is-odd', index % 2 === 1);
    row.classList.toggle('is-waiting', data === undefined);
    setAttribute(row, 'aria-selected', data !== undefined && this.isOpen(data) ? 'true' : 'false');
    for (const [column, cell] of cells.entries()) {
      const { text, tone, kind } = /** @type {Column<Row>} */ (this.#columns[column]);
      const shown = data === undefined ? '' : text(data);
      setText(cell, shown);
      if (kind === 'text') setAttribute(cell, 'title', shown === '' ? undefined : shown);
      setAttribute(cell, 'data-tone', data === undefined ? undefined : tone?.(data) || undefined);
    }
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const target = /** @type {Element} */ (event.target).closest('.grid-row');
    const element = this.#elements.find(({ row }) => row === target);
    if (!element) return;
    this.#active = element.index;
    this.#draw();
    this.#open();
  }

  #open() {
    const data = this.#rows.at(this.#active);
    if (data !== undefined) this.onOpen(data);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = (this.#rows.total ?? 0) - 1;
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.#rowHeight) - 2);
    const now = this.#active;
    /** @type {Record<string, number>} */
    const places = {
      ArrowDown: now + 1,
      ArrowUp: now < 0 ? 0 : now - 1,
      PageDown: now + page,
      PageUp: now - page,
      Home: 0,
      End: last,
    };
    const place = places[event.key];
    if (place !== undefined) this.#choose(Math.max(0, Math.min(last, place)));
    else if (event.key === 'Enter' || event.key === ' ') this.#open();
    else return;
    event.preventDefault();
  }

  /** @param {number} index */
  #choose(index) {
    this.#active = index;
    const head = this.#head.offsetHeight;
    const from = index * this.#rowHeight;
    const height = this.element.clientHeight - head;
    if (from < this.element.scrollTop) this.element.scrollTop = from;
    else if (from + this.#rowHeight > this.element.scrollTop + height) {
      this.element.scrollTop = from + this.#rowHeight - height;
    }
    this.#draw();
  }
}
