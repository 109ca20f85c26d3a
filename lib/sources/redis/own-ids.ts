import { createHash } from 'node:crypto';
import { DIGEST_LENGTH, EPOCH, NUMBERS } from './lua/lua.generated.js';

/** The key of a stream's index. It shares the stream's hash slot. */
export function indexKey(stream: string, prefix: string): string {
  return `${prefix}ids:${stream.slice(prefix.length)}`;
}

/** The digest that stands for an id in the index. Scripts compute the same one. */
export function digestOf(id: string): string {
  // Scripts know the id only in this form, from the events that wait beside a key.
  const json = asciiJson(JSON.stringify(id));
  return createHash('sha1').update(json).digest('hex').slice(0, DIGEST_LENGTH);
}

export function asciiJson(json: string): string {
  return json.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Writes the publisher's ids for the script that appends: the place of each event, and the id's digest. */
export function ownIdsOf(events: readonly { readonly own?: string | undefined }[]): string {
  let text = '';
  events.forEach(({ own }, index) => {
    if (own !== undefined) {
      text += `${index}:${digestOf(own)},`;
    }
  });
  return text;
}

/** The place of the event with this score in the index; without `isExact`, where to begin the search. */
export function placeOf(score: number): { readonly id: string; readonly isExact: boolean } {
  const number = ((score % NUMBERS) + NUMBERS) % NUMBERS;
  const time = (score - number) / NUMBERS + EPOCH;
  return { id: `${time}-${number}`, isExact: number < NUMBERS - 1 };
}
