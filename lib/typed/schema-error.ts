import { shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import type { SchemaIssue } from './schema-issues.js';
import type { StandardIssue } from './standard-schema.js';

/** The most issues in the text of an error. */
const MOST_SHOWN = 3;

/** The error for data that does not fit the schema of its event. It holds nothing of the data. */
export class SseSchemaError extends SseError {
  readonly #given: readonly StandardIssue[];

  constructor(
    template: string,
    type: string,
    /** Why, up to 50: where in the data, and the library's code. */
    readonly issues: readonly SchemaIssue[],
    given: readonly StandardIssue[],
  ) {
    const reasons = issues
      .slice(0, MOST_SHOWN)
      .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
    const more = issues.length - reasons.length;
    const why = `${reasons.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
    super(
      'INVALID_EVENT',
      `The data of the event ${shown(type)} does not fit its schema in ${shown(template)}` +
        `${why === '' ? ', which gives no reason' : `: ${why}`}. Give data that fits, or change the schema.`,
    );
    this.#given = given;
  }

  /**
   * The issues as the schema gave them, with the words of its library and of the application. They may hold
   * values and keys of the data: keep them from logs and clients. No logger, `inspect()` or JSON of this
   * error has them.
   */
  given(): readonly StandardIssue[] {
    return this.#given;
  }
}
