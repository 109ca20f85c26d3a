import { withDeadline } from '../../channel/deadline.js';
import type { ChannelFeed, ChannelSource } from '../../channel/source.js';
import { ContractRig, freshChannel, SILENT_LOG } from './rig.js';

/**
 * A source, and ways to cause what can happen to it. Cases that need a missing one are left out.
 */
export interface SourceSubject {
  /** Makes another source of the same system, each time. */
  readonly source: () => ChannelSource | Promise<ChannelSource>;
  /** Adds an event to a channel in the system; resolves once the system has it. */
  readonly write: (channel: string, data: string) => Promise<unknown>;
  /** Drops the oldest events of a channel's history, but not the newest. Default: not tested. */
  readonly trim?: (channel: string) => Promise<unknown>;
  /** Replaces a channel's history by an empty one. Default: not tested. */
  readonly replace?: (channel: string) => Promise<unknown>;
  /** Cuts the connections of sources, which have to connect again. Default: not tested. */
  readonly interrupt?: () => Promise<unknown>;
  /** A channel name that nobody has used yet. Default: random letters and digits. */
  readonly channel?: () => string;
  /** How long a case waits for an event or a reset, in milliseconds. Default: 10,000. */
  readonly timeout?: number;
}

/** The tools of one case. */
export interface Context<Source extends ChannelSource = ChannelSource> {
  rig: ContractRig;
  source: Source;
  readonly channel: string;
  readonly other: string;
  feed(): ChannelFeed;
  /** Closes everything and makes it anew, like a new process. */
  restart(): Promise<void>;
}

/** Runs one case with a new source, and closes everything after it. */
export async function inContext<Source extends ChannelSource>(
  subject: { readonly source: () => Source | Promise<Source>; readonly channel?: () => string },
  timeout: number,
  run: (context: Context<Source>) => Promise<void>,
): Promise<void> {
  const name = subject.channel ?? freshChannel;
  const start = async (): Promise<{ rig: ContractRig; source: Source }> => {
    const rig = new ContractRig(timeout);
    const source = await subject.source();
    await withDeadline(Promise.resolve(source.start?.(true, SILENT_LOG)), timeout, 'start()');
    return { rig, source };
  };
  const stop = async ({ rig, source }: { rig: ContractRig; source: Source }) => {
    await rig.close();
    await withDeadline(Promise.resolve(source.stop?.()), timeout, 'stop()');
  };
  const context: Context<Source> = {
    ...(await start()),
    channel: name(),
    other: name(),
    feed() {
      for (const channel of this.rig.delivery.channels.channels) {
        if (channel.name === this.channel && channel.feed) {
          return channel.feed;
        }
      }
      throw new Error('The channel is not open.');
    },
    async restart() {
      await stop(this);
      Object.assign(this, await start());
    },
  };
  try {
    await run(context);
  } finally {
    await stop(context);
  }
}
