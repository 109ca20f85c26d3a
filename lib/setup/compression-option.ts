import { option } from '../sources/options/option-kinds.js';

/** How streams are compressed; see the module's option `compression`. */
export type Compression = 'none' | 'shared';

/** An endpoint's own choice. */
export const compressionOption = option(
  (value): value is Compression => value === 'none' || value === 'shared',
  "'none' or 'shared'",
  undefined,
);
