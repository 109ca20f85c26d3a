import { AsyncLocalStorage } from 'node:async_hooks';
import { kindOf } from '../../channel/shown.js';
import { ofKind } from '../../channel/source-kind.js';
import { SseError } from '../../channel/sse-error.js';
import type { ChannelFeed, ChannelSink, ChannelSource } from '../../channel/source.js';
import type { PollLog } from './poll-log.js';
import { PollLoop } from './poll-loop.js';
import { readOptions } from '../options/option-table.js';
import { POLL_OPTIONS, type PollOptions, type PollSettings } from './poll.options.js';

/** Feeds a channel from a function, which it calls again and again while somebody reads. */
export class PollSource<T = unknown> implements ChannelSource {
  private readonly options: PollSettings;
  /** A loop that a request starts must not continue in that request's async context. */
  private readonly detach = AsyncLocalStorage.snapshot();

  /**
   * @param read gives the next value; `null` and `undefined` send nothing
   * @throws SseError `INVALID_OPTION`
   */
  constructor(
    private readonly read: () => T | null | undefined | Promise<T | null | undefined>,
    options: PollOptions,
    private readonly log: PollLog,
  ) {
    if (typeof read !== 'function') {
      throw new SseError(
        'INVALID_OPTION',
        `\`poll\` was given ${kindOf(read)} to read; pass a function ` +
          'that returns a value or a promise of one.',
      );
    }
    ofKind('poll', this);
    this.options = readOptions(POLL_OPTIONS, options, '', 'poll(): ');
  }

  /** Opens a loop of its own. It reads from `resume()` on. */
  open(_channel: string, sink: ChannelSink): ChannelFeed {
    const loop = this.detach(() => new PollLoop(this.read, this.options, sink, this.log));
    sink.live();
    return {
      resume: () => this.detach(() => loop.resume()),
      pause: () => loop.pause(),
      close: () => loop.close(),
    };
  }
}
