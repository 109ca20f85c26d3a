import { RUN_FORMATS, type RunFormatName } from '../../setup/run-options.js';
import { AiSdkFormat } from './ai-sdk-format.js';
import { DefaultFormat } from './default-format.js';
import { JsonFormat } from './json-format.js';
import type { RunFormat, RunFormatOptions } from './run-format.js';
import { TextFormat } from './text-format.js';

const FORMATS = {
  default: DefaultFormat,
  text: TextFormat,
  json: JsonFormat,
  'ai-sdk': AiSdkFormat,
} satisfies Record<RunFormatName, new (options: RunFormatOptions) => RunFormat>;

/** The formats of an application, by their names, which stores keep beside runs. */
export class RunFormats {
  private readonly made = new Map<string, RunFormat>();

  constructor(options: RunFormatOptions) {
    for (const name of RUN_FORMATS) {
      this.made.set(name, new FORMATS[name](options));
    }
  }

  /** The format with a name; the default one for a name that only a newer version of the package knows. */
  of(name: string): RunFormat {
    return this.made.get(name) ?? this.made.get('default')!;
  }
}
