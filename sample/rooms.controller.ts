import { Controller, Param, Post, Sse } from '@nestjs/common';
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

  @Post('rooms/:room')
  async send(@Param('room') room: string, @Content() message: unknown): Promise<{ id: string }> {
    return { id: await this.sse.send(channelName(ROOM, { room }), message) };
  }
}
