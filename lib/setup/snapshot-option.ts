import { templateOf } from '../channel/channel-params.js';
import { shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import { checkTemplate, PLACEHOLDER_TEXT } from '../channel/template.js';
import { option } from '../sources/options/option-kinds.js';

/**
 * Returns the state of a channel for the client of a request: a value that JSON can express. `this` is
 * the controller.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type SnapshotOption<Request = any> = (
  channel: string,
  request: Request,
  signal: AbortSignal,
) => unknown;

/**
 * The functions by the names or templates of the channels that have a state. Of several that a name fits,
 * the first counts.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type SnapshotsOption<Request = any> = Readonly<Record<string, SnapshotOption<Request>>>;

export const snapshotOption = option(
  isSnapshot,
  'a function of a channel and the request, or an object of such functions by the names or templates of their channels',
  undefined,
);

function isSnapshot(value: unknown): value is SnapshotOption | SnapshotsOption {
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'function';
  }
  const functions = Object.entries(value);
  return (
    functions.length > 0 &&
    functions.every(([text, each]) => text !== '' && typeof each === 'function')
  );
}

/** The function that gives the state of a channel; `undefined` for a channel without a state. */
export function snapshotFunction(
  given: SnapshotOption | SnapshotsOption,
  channel: string,
): SnapshotOption | undefined {
  return typeof given === 'function'
    ? given
    : Object.entries(given).find(([text]) => templateOf(text).paramsOf(channel))?.[1];
}

/**
 * Refuses functions for channels that the endpoint does not have: their states would be missed in silence.
 *
 * @param channels the names and templates of the endpoint's channels; `undefined` where nobody knows them
 * @throws SseError `INVALID_OPTION`, `INVALID_CHANNEL`
 */
export function checkSnapshots(
  given: SnapshotOption | SnapshotsOption,
  channels: readonly string[] | undefined,
  where: string,
): void {
  for (const text of typeof given === 'function' ? [] : Object.keys(given)) {
    checkTemplate(text);
    const name = text.split(PLACEHOLDER_TEXT).join('x');
    const isOf = (channel: string): boolean =>
      channel === text || templateOf(channel).paramsOf(name) !== undefined;
    if (channels && !channels.some(isOf)) {
      throw new SseError(
        'INVALID_OPTION',
        `${where} has a \`snapshot\` for ${shown(text)}, which is none of its channels: ` +
          `${channels.map(shown).join(', ')}. Give the name or template of one of them.`,
      );
    }
  }
}
