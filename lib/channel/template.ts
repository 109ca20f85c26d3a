import { kindOf, shown } from './shown.js';
import { SseError } from './sse-error.js';

/** The placeholders of a template such as `job:{id}`. */
const PLACEHOLDER = /\{([^{}]*)\}/g;

/**
 * Refuses a template with a brace that belongs to no placeholder: it would be part of the name,
 * and all who were to have a channel of their own would share one.
 * @throws SseError `INVALID_CHANNEL`
 */
export function checkTemplate(template: string): void {
  if (/[{}]/.test(template.replace(PLACEHOLDER, ''))) {
    throw new SseError(
      'INVALID_CHANNEL',
      `The channel template ${shown(template)} has a brace without its other half. ` +
        'Write a placeholder as {name}, and no other braces.',
    );
  }
}

export function placeholdersOf(template: string): string[] {
  return [...template.matchAll(PLACEHOLDER)].map(([, name]) => name!);
}

/** Any placeholder, for `split()`, which would keep a group. */
export const PLACEHOLDER_TEXT = /\{[^{}]*\}/;

/**
 * The value of a placeholder, as it stands in a channel's name.
 * @throws SseError `INVALID_CHANNEL`
 */
export function partOf(template: string, placeholder: string, value: unknown): string {
  const isText =
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    typeof value === 'bigint';
  if (!isText || value === '') {
    throw new SseError(
      'INVALID_CHANNEL',
      `The channel template ${shown(template)} has no value for {${placeholder}}: it is ` +
        `${value === '' ? 'empty' : kindOf(value)}. Give a string or a number.`,
    );
  }
  try {
    return encodedValue(String(value));
  } catch (cause) {
    throw new SseError(
      'INVALID_CHANNEL',
      `The value for {${placeholder}} is not well-formed text: ${shown(value)}. Leave out lone surrogates.`,
      { cause },
    );
  }
}

/**
 * A value as it stands in a channel's name.
 * @throws URIError for text that is not well-formed
 */
export function encodedValue(text: string): string {
  // encodeURIComponent leaves `*` and the like as they are, but a system that carries the
  // channel could take them for patterns.
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
