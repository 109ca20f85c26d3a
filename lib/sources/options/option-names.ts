import { SseError } from '../../channel/sse-error.js';

/**
 * Refuses options that do not exist. Passed over in silence, a misspelt option would leave its
 * default in force.
 *
 * @param known the names of the options that exist
 * @param of whose options they are, such as `send()`. Default: the module's
 * @param prefix the name of the group they stand in, such as `retain.`. Default: none
 * @throws SseError `INVALID_OPTION`
 */
export function checkOptionNames(
  options: object,
  known: readonly string[],
  { of, prefix = '' }: { readonly of?: string; readonly prefix?: string } = {},
): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new SseError(
      'INVALID_OPTION',
      `${of === undefined ? 'There' : `${of}: there`} is no option \`${prefix}${unknown}\`. There are: ${known.join(', ')}.`,
    );
  }
}
