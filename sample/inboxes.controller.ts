import { Controller, Header, Param, Post, Sse, UseGuards } from '@nestjs/common';
import { SseChannel, SseService, SseTicketGuard, SseTickets, channelName } from '../lib/index.js';
import { Content } from './content.decorator.js';

const INBOX = 'inbox:{user}';

/** A channel that only its user may read: a ticket in the URL opens its stream, once. */
@Controller()
export class InboxesController {
  constructor(
    private readonly sse: SseService,
    private readonly tickets: SseTickets,
  ) {}

  @Sse('events/inboxes/:user')
  @UseGuards(SseTicketGuard)
  @SseChannel(INBOX)
  events() {}

  /** In an app of yours a guard stands here, and has found out by a header who asks. */
  @Post('inboxes/:user/ticket')
  @Header('content-type', 'text/plain')
  ticket(@Param('user') user: string): Promise<string> {
    return this.tickets.issue({ channel: channelName(INBOX, { user }), client: user });
  }

  @Post('inboxes/:user')
  async send(@Param('user') user: string, @Content() message: unknown): Promise<{ id: string }> {
    return { id: await this.sse.send(channelName(INBOX, { user }), message) };
  }
}
