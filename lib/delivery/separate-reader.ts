import type { Channel } from '../channel/channel.js';
import type { Reader } from '../channel/reader.js';
import type { Cursor } from '../channel/cursor.js';
import { BLOCK_SIZE, BLOCKS_PER_PULL } from './block.js';
import type { Connection, ConnectionReader } from './connection.js';
import { CursorReader } from './cursor-reader.js';
import type { BlockCache, LogBlocks } from './log-blocks.js';
import type { Overflow } from './overflow.js';
import type { Subscription } from './subscription.js';
import type { SubscriptionReader } from './subscription-options.js';

/** About how many bytes are written before the other connections get their turn. */
const BYTES_PER_PULL = BLOCKS_PER_PULL * BLOCK_SIZE;

/**
 * Brings several channels to one connection, each for itself: in its own order, under ids of its own, and
 * in the blocks that it shares with all readers of the channel. Between channels there is no order.
 */
export class SeparateReader implements ConnectionReader, SubscriptionReader {
  private readonly parts: readonly ChannelPart[];
  private readonly partOf: ReadonlyMap<Channel, ChannelPart>;
  /** How many channels the client still receives something of. */
  private open: number;
  /** The part whose turn it is. */
  private turn = 0;

  constructor(
    private readonly subscription: Subscription,
    private readonly connection: Connection,
    blocks: BlockCache,
    overflow: Overflow,
  ) {
    const finish = (): void => {
      if (--this.open === 0) {
        connection.end();
      }
    };
    this.parts = subscription.cursors.map(
      (cursor) =>
        new ChannelPart(cursor, connection, blocks.of(cursor.channel, true), overflow, {
          finish,
          goOnLater: () => subscription.pull(),
        }),
    );
    this.partOf = new Map(this.parts.map((part) => [part.channel, part]));
    this.open = this.parts.length;
    subscription.attach(this);
  }

  get channels(): readonly string[] {
    return this.subscription.channels;
  }

  get backlog(): number {
    return this.subscription.backlog;
  }

  /** A channel with new events pulls its own part only. */
  readerIn(channel: Channel): ChannelPart {
    return this.partOf.get(channel)!;
  }

  /**
   * Gives the channels their turns, a block for each, and begins with the one that was next when the client
   * took no more: a channel with many events does not keep the others back.
   */
  pull(): void {
    const { parts, connection } = this;
    const most = connection.bytes + BYTES_PER_PULL;
    for (let idle = 0; idle < parts.length && !connection.isBlocked;) {
      if (connection.bytes >= most) {
        this.subscription.pull();
        return;
      }
      idle = parts[this.turn]!.pullBlock() ? 0 : idle + 1;
      this.turn = (this.turn + 1) % parts.length;
    }
  }

  close(): void {
    this.parts.forEach((part) => part.close());
    this.subscription.close();
  }
}

/** Brings one channel of several. */
class ChannelPart extends CursorReader implements Reader {
  readonly channel: Channel;

  constructor(
    cursor: Cursor,
    connection: Connection,
    blocks: LogBlocks,
    overflow: Overflow,
    /** The reader of all the channels. */
    private readonly owner: PartOwner,
  ) {
    super(cursor, connection, blocks, overflow);
    this.channel = cursor.channel;
  }

  /** Reads what the channel has, when it has something new. */
  pull(): void {
    if (this.read(BLOCKS_PER_PULL)) {
      this.owner.goOnLater();
    }
  }

  /** Reads one block. Returns whether there may be more. */
  pullBlock(): boolean {
    return this.read(1);
  }

  protected override finish(): void {
    this.owner.finish();
  }
}

interface PartOwner {
  /** Pulls all parts, once the other connections have had their turn. */
  goOnLater(): void;
  /** Called when a channel brings nothing more. */
  finish(): void;
}
