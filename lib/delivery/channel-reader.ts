import { BLOCKS_PER_PULL } from './block.js';
import type { Connection, ConnectionReader } from './connection.js';
import { CursorReader } from './cursor-reader.js';
import type { LogBlocks } from './log-blocks.js';
import type { Overflow } from './overflow.js';
import type { Subscription } from './subscription.js';

/** Brings one channel to one connection. */
export class ChannelReader extends CursorReader implements ConnectionReader {
  constructor(
    private readonly subscription: Subscription,
    connection: Connection,
    blocks: LogBlocks,
    overflow: Overflow,
  ) {
    super(subscription.cursors[0]!, connection, blocks, overflow);
    subscription.attach(this);
  }

  get channels(): readonly string[] {
    return this.subscription.channels;
  }

  get backlog(): number {
    return this.subscription.backlog;
  }

  override close(): void {
    super.close();
    this.subscription.close();
  }

  pull(): void {
    if (this.read(BLOCKS_PER_PULL)) {
      // Lets the other readers have their turn.
      this.subscription.pull();
    }
  }

  protected override finish(): void {
    this.connection.end();
  }
}
