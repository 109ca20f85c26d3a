import { fitWords } from './issue-words.js';
import { pathText } from './issue-path.js';
import { fieldNames } from './field-names.js';
import type { AnySchema, StandardIssue } from './standard-schema.js';

/** Why data does not fit its schema, without anything of the data. */
export interface SchemaIssue {
  /**
   * Where, such as `items[2].price`; empty for the data as a whole. `[…]` stands for a key that the
   * schema does not name, as those of a record. At most 200 characters.
   */
  readonly path: string;
  /** That it does not fit, and the library's code for why, such as `does not fit (too_big)`. */
  readonly message: string;
}

/** The most issues of one error. */
const MOST_ISSUES = 50;

/**
 * Issues as an error may tell them. Libraries repeat values and keys in their messages, messages of the
 * application's may as well, and in forms that nobody can search for. So none is told: the words are ours.
 *
 * @throws what an issue's getters throw
 */
export function schemaIssues(
  issues: readonly StandardIssue[],
  data: unknown,
  schema: AnySchema,
): SchemaIssue[] {
  const told: SchemaIssue[] = [];
  const names = fieldNames(schema);
  for (let nth = 0; nth < issues.length && nth < MOST_ISSUES; nth++) {
    const issue: StandardIssue | null | undefined = issues[nth];
    told.push({ path: pathText(issue?.path, data, names), message: fitWords(issue) });
  }
  return told;
}
