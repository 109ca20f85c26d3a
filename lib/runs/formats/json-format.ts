import type { RunChunk } from '../../channel/runs.js';
import { textOf } from '../../channel/value-text.js';
import { DefaultFormat } from './default-format.js';

/** Each chunk is a value of JSON, strings among them. Bytes have a value on each line. */
export class JsonFormat extends DefaultFormat {
  override readonly bytesAs = 'lines';

  override chunk(value: unknown): RunChunk | undefined {
    const { serialize } = this.options;
    // `serialize` is for values that JSON does not have.
    return { data: typeof value === 'string' ? JSON.stringify(value) : textOf(value, serialize) };
  }
}
