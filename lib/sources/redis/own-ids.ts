import { createHash } from 'node:crypto';
import { DIGEST_LENGTH, EPOCH, NUMBERS } from './lua/lua.generated.js';

/** The key of a stream's index. It shares the stream's hash slot. */
export function indexKey(stream: string, prefix: string): string {
  return `${prefix}ids:${stream.slice(prefix.length)}`;
}

/** What stands in the index for an id: of the same size for each, and text that scripts know too. */
export function digestOf(id: string): string {
  // As the id stands among the events that wait beside a key.
  const json = asciiJson(JSON.stringify(id));
  return createHash('sha1').update(json).digest('hex').slice(0, DIGEST_LENGTH);
}

/** JSON with nothing beyond ASCII. */
export function asciiJson(json: string): string {
  return json.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The ids of a turn's events for the script that appends: the place of each, and its digest. */
export function ownIdsOf(events: readonly { readonly own?: string | undefined }[]): string {
  let text = '';
  events.forEach(({ own }, index) => {
    if (own !== undefined) {
      text += `${index}:${digestOf(own)},`;
    }
  });
  return text;
}

/** Where the event stands that the index has under this score, or from where on it is looked for. */
export function placeOf(score: number): { readonly id: string; readonly isExact: boolean } {
  const number = ((score % NUMBERS) + NUMBERS) % NUMBERS;
  const time = (score - number) / NUMBERS + EPOCH;
  return { id: `${time}-${number}`, isExact: number < NUMBERS - 1 };
}
