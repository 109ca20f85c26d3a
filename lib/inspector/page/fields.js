import { make, setAttribute } from './dom.js';
import { visible } from './visible.js';

/** How long a user pauses after typing, in ms. */
const TYPED = 220;

/**
 * A field to search by. It tells its text when the user pauses, or presses Enter.
 * @param {string} label
 * @param {string} placeholder
 * @param {(text: string) => void} onText
 */
export function searchField(label, placeholder, onText) {
  const input = make('input', {
    type: 'search',
    'aria-label': label,
    placeholder,
    maxlength: '1024',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => onText(input.value.trim()), TYPED);
  });
  input.addEventListener('change', () => {
    clearTimeout(timer);
    onText(input.value.trim());
  });
  return input;
}

/**
 * @param {string} label
 * @param {Readonly<Record<string, string>>} options their texts by value
 * @param {(value: string) => void} onChoose
 */
export function selectField(label, options, onChoose) {
  const select = make(
    'select',
    { 'aria-label': label },
    ...Object.entries(options).map(([value, text]) => make('option', { value }, text)),
  );
  select.addEventListener('change', () => onChoose(select.value));
  return select;
}

/**
 * Writes what the address says into a field, but not while the user types there. A field shows a text as it is:
 * where that hides something, the field's title shows it.
 * @param {HTMLInputElement} input
 * @param {string} text
 */
export function fill(input, text) {
  setAttribute(input, 'title', visible(text) === text ? undefined : text);
  if (input !== document.activeElement && input.value !== text) input.value = text;
}
