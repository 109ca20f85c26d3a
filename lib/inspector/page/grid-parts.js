import { make } from './dom.js';

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} key
 * @property {string} title
 * @property {'text' | 'number'} kind
 * @property {string} [sort] the order that its heading asks for
 * @property {true} [isOptional] takes place only where a row has something in it
 * @property {(row: Row) => string} text
 * @property {(row: Row) => 'warn' | ''} [tone]
 */

/**
 * @typedef {object} GridRow the elements of a row, which show one row of the data after another
 * @property {HTMLElement} row
 * @property {HTMLElement[]} cells
 * @property {number} index of the row of the data that it shows now
 */

/**
 * The heading of a column, by which one sorts where the server can.
 * @template Row
 * @param {Column<Row>} column
 * @param {(order: string) => void} onSort
 */
export function headingOf({ key, title, kind, sort }, onSort) {
  const attributes = {
    role: 'columnheader',
    class: 'grid-cell',
    'data-key': key,
    'data-kind': kind,
  };
  if (sort === undefined) return make('div', attributes, title);
  const name = `Sort by ${title.toLowerCase()}`;
  const button = make('button', { type: 'button', class: 'sort', title: name }, title);
  button.addEventListener('click', () => onSort(sort));
  return make('div', attributes, button);
}

/**
 * @template Row
 * @param {string} id
 * @param {readonly Column<Row>[]} columns
 * @returns {GridRow}
 */
export function gridRow(id, columns) {
  const cells = columns.map(({ key, kind, title }) =>
    make('div', {
      role: 'gridcell',
      class: 'grid-cell',
      'data-key': key,
      'data-kind': kind,
      'data-title': title,
    }),
  );
  return { row: make('div', { role: 'row', class: 'grid-row', id }, ...cells), cells, index: -1 };
}
