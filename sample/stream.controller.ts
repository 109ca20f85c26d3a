import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { requestedChannels, SseChannel, type EndpointOptions } from '../lib/index.js';
import { Orders } from './order.channel.js';
import { Key } from './key.channel.js';
import { OrderStore } from './order.store.js';
import { Room } from './room.channel.js';

/** What a page may ask for, and what feeds it. Of several that a name fits, the first counts. */
const CHANNELS = requestedChannels({
  only: [
    { channel: 'user_updates', source: 'postgres' },
    { channel: Orders, source: 'event-table' },
    Room,
    { channel: Key, source: 'cache', interval: 200 },
  ],
});

const OPTIONS: EndpointOptions = {
  snapshot: {
    /** The newest orders come first, as at `/events/orders`. The other channels have no state. */
    orders(this: StreamController) {
      return this.orders.newest(20);
    },
  },
};

/** All channels of a page by one connection: the request names them. */
@Controller('stream')
export class StreamController {
  constructor(readonly orders: OrderStore) {}

  /** `?channel=orders&channel=room%3Alobby` */
  @Sse()
  @SseChannel(CHANNELS, OPTIONS)
  byQuery() {}

  /** `{ "channels": ["orders", "room:lobby"] }`, for more names than a URL takes. */
  @Sse('', { method: RequestMethod.POST })
  @SseChannel(CHANNELS, OPTIONS)
  byBody() {}
}
