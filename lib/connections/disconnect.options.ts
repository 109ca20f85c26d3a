import type { ConnectionTarget } from '../delivery/revocations.js';
import { duration, option } from '../sources/options/option-kinds.js';
import { readOptions, type TableOf } from '../sources/options/option-table.js';
import { SseError } from '../channel/sse-error.js';
import { isName } from '../delivery/client.js';
import { CONNECTION_FILTER } from './list-connections.js';

/** The options of `SseService.disconnect()`. */
export interface DisconnectOptions {
  /**
   * For how long clients that return are answered with 204, which tells an EventSource not to return,
   * in milliseconds, at most 86,400,000. Default: 0, they return and are authorised anew.
   */
  readonly block?: number | undefined;
  /** Why, for hooks and `connections$`: at most 1,024 characters. Default: none. */
  readonly reason?: string | undefined;
}

/** The longest that clients can be blocked. */
export const MAX_BLOCK_MS = 86_400_000;
const MAX_REASON_LENGTH = 1_024;

export const TARGET_OPTIONS = {
  ...CONNECTION_FILTER,
  connection: option(isName, 'the id of a connection', undefined),
} satisfies TableOf<ConnectionTarget>;

export const DISCONNECT_OPTIONS = {
  block: duration(0, 0, MAX_BLOCK_MS),
  reason: option(
    (value): value is string => typeof value === 'string' && value.length <= MAX_REASON_LENGTH,
    `a string of at most ${MAX_REASON_LENGTH} characters`,
    undefined,
  ),
} satisfies TableOf<DisconnectOptions>;

/** What is asked of `disconnect()`, checked. */
export interface DisconnectCommand {
  readonly target: ConnectionTarget;
  readonly block: number;
  readonly reason: string | undefined;
}

/** @throws SseError `INVALID_OPTION` */
export function disconnectCommand(target: unknown, options: unknown): DisconnectCommand {
  const of = 'disconnect(): ';
  const checked = readOptions(TARGET_OPTIONS, target, '', of);
  const { block, reason } = readOptions(DISCONNECT_OPTIONS, options, '', of);
  if (Object.values(checked).every((value) => value === undefined)) {
    throw new SseError(
      'INVALID_OPTION',
      `${of}neither \`client\` nor \`channel\` nor \`connection\` is given, which would end every ` +
        'stream. Name one, or several that all must hold.',
    );
  }
  if (block > 0 && checked.connection !== undefined) {
    throw new SseError(
      'INVALID_OPTION',
      `${of}\`block\` has no effect with \`connection\`: a client that returns has another ` +
        'connection. Name its `client` in place of it, or leave `block` out.',
    );
  }
  return { target: checked, block, reason };
}
