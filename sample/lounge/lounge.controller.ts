import { Controller, HttpCode, Param, Post, Req, Sse, UseGuards } from '@nestjs/common';
import { SseChannel, SseService } from '../../lib/index.js';
import { Content } from '../content.decorator.js';
import { Lounge } from './lounge.channel.js';
import { SessionGuard, type VisitorRequest } from './session.guard.js';

/** A room with names: who is here, what they say, and who is typing. */
@Controller()
@UseGuards(SessionGuard)
export class LoungeController {
  constructor(private readonly sse: SseService) {}

  @Sse('events/lounges/:room')
  @SseChannel(Lounge, {
    client: ({ visitor }: VisitorRequest) => visitor,
    presence: 'events',
    /** A page shows who is here, and then each `sse:join` and `sse:leave`. */
    async snapshot(this: LoungeController, channel) {
      const { members } = await this.sse.presence(channel);
      return members.map(({ id }) => id);
    },
  })
  events() {}

  /** The channel's schema decides what can be said: the filter answers anything else with 400. */
  @Post('lounges/:room/messages')
  async say(
    @Param('room') room: string,
    @Req() { visitor }: VisitorRequest,
    @Content() text: string,
  ): Promise<{ id: string }> {
    return { id: await this.sse.to(Lounge, { room }).send('message', { from: visitor, text }) };
  }

  /** The page calls this every other second while its visitor types. */
  @Post('lounges/:room/typing')
  @HttpCode(204)
  async type(@Param('room') room: string, @Req() { visitor }: VisitorRequest): Promise<void> {
    await this.sse.to(Lounge, { room }).send('typing', { from: visitor });
  }
}
