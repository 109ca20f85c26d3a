import { Controller, HttpCode, Param, Post, Req, Sse, UseGuards } from '@nestjs/common';
import { SseChannel, SseService, channelName } from '../../lib/index.js';
import { Content } from '../content.decorator.js';
import { SessionGuard, type VisitorRequest } from './session.guard.js';

const LOUNGE = 'lounge:{room}';

/** A room with names: who is here, what they say, and who is typing. */
@Controller()
@UseGuards(SessionGuard)
export class LoungeController {
  constructor(private readonly sse: SseService) {}

  @Sse('events/lounges/:room')
  @SseChannel(LOUNGE, {
    client: ({ visitor }: VisitorRequest) => visitor,
    presence: 'events',
    /** A page shows who is here, and then each `sse:join` and `sse:leave`. */
    async snapshot(this: LoungeController, channel) {
      const { members } = await this.sse.presence(channel);
      return members.map(({ id }) => id);
    },
  })
  events() {}

  @Post('lounges/:room/messages')
  async say(
    @Param('room') room: string,
    @Req() { visitor }: VisitorRequest,
    @Content() text: unknown,
  ): Promise<{ id: string }> {
    return { id: await this.sse.send(channelName(LOUNGE, { room }), { from: visitor, text }) };
  }

  /** The page calls this every other second while its visitor types. */
  @Post('lounges/:room/typing')
  @HttpCode(204)
  async type(@Param('room') room: string, @Req() { visitor }: VisitorRequest): Promise<void> {
    await this.sse.send(channelName(LOUNGE, { room }), { from: visitor }, { type: 'typing' });
  }
}
