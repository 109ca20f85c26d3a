import type { RunChunk } from '../../channel/runs.js';
import { textOf } from '../../channel/value-text.js';
import { DefaultFormat } from './default-format.js';

/** Each chunk is a value of JSON, strings among them. Bytes have a value on each line. */
export class JsonFormat extends DefaultFormat {
  override readonly bytesAs = 'lines';

  override chunks(value: unknown): readonly RunChunk[] {
    const { serialize } = this.options;
    // `serialize` is for values that JSON does not have.
    return [{ data: typeof value === 'string' ? JSON.stringify(value) : textOf(value, serialize) }];
  }
}
