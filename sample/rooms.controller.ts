import { BadRequestException, Controller, Headers, Param, Post, Sse } from '@nestjs/common';
import { SseChannel, SseService } from '../lib/index.js';
import { Content } from './content.decorator.js';
import { Room } from './room.channel.js';

/** A channel without any system behind it: what one request sends, all clients receive. */
@Controller()
export class RoomsController {
  constructor(private readonly sse: SseService) {}

  /** `{room}` of the channel is the route's parameter. */
  @Sse('events/rooms/:room')
  @SseChannel(Room)
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
    const channel = this.sse.to(Room, { room });
    return { id: await channel.send('message', message, { idempotencyKey }) };
  }
}
