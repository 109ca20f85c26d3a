import { BadRequestException, Controller, Headers, Param, Post, Sse } from '@nestjs/common';
import { SseChannel, SseService, channelName } from '../lib/index.js';
import { Content } from './content.decorator.js';

/** `{room}` is the route parameter, encoded so that it cannot name a channel outside of `room:`. */
const ROOM = 'room:{room}';

/** A channel without any system behind it: what one request sends, all clients receive. */
@Controller()
export class RoomsController {
  constructor(private readonly sse: SseService) {}

  @Sse('events/rooms/:room')
  @SseChannel(ROOM)
  events() {}

  /** A client that got no answer sends the request again with the same key: the message comes once. */
  @Post('rooms/:room')
  async send(
    @Param('room') room: string,
    @Content() message: unknown,
    @Headers('idempotency-key') idempotencyKey?: string,
  ): Promise<{ id: string }> {
    if (idempotencyKey !== undefined && !/^[!-~]{1,256}$/.test(idempotencyKey)) {
      throw new BadRequestException('Idempotency-Key takes 1 to 256 visible ASCII characters.');
    }
    return { id: await this.sse.send(channelName(ROOM, { room }), message, { idempotencyKey }) };
  }
}
