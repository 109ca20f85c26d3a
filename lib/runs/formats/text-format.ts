import type { RunChunk } from '../../channel/runs.js';
import { kindOf } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';
import { DefaultFormat } from './default-format.js';

/** Pieces of a text. Together they are the text. */
export class TextFormat extends DefaultFormat {
  override readonly bytesAs = 'text';

  override chunks(value: unknown): readonly RunChunk[] {
    if (typeof value !== 'string') {
      throw new SseError(
        'INVALID_EVENT',
        `The source of a run gave ${kindOf(value)}, and \`format: 'text'\` takes strings and bytes. Give text, ` +
          "or set `format: 'json'`.",
      );
    }
    if (value !== this.endData) {
      return value === '' ? [] : [{ data: value }];
    }
    // A reader would take this text for the end of the run. In two pieces it is the same text.
    const [first, ...others] = value;
    return [first!, others.join('')].filter(Boolean).map((data) => ({ data }));
  }
}
