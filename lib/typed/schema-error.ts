import { shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import type { SchemaIssue } from './schema-issues.js';

/** The most issues in the text of an error. */
const MOST_SHOWN = 3;

/** The error for data that does not fit the schema of its event. */
export class SseSchemaError extends SseError {
  constructor(
    template: string,
    type: string,
    /** Why, up to 50: where in the data, and what the schema says of it, without the values. */
    readonly issues: readonly SchemaIssue[],
  ) {
    const reasons = issues
      .slice(0, MOST_SHOWN)
      .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
    const more = issues.length - reasons.length;
    super(
      'INVALID_EVENT',
      `The data of the event ${shown(type)} does not fit its schema in ${shown(template)}: ` +
        `${reasons.join('; ')}${more > 0 ? `; and ${more} more` : ''}. Give data that fits, or change ` +
        'the schema.',
    );
  }
}
