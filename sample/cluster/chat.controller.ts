import { Body, Controller, Get, HttpCode, Post, Put, Sse } from '@nestjs/common';
// In an app of yours: from 'nestjs-sse-channels'.
import { SseChannel, SseService } from '../../lib/index.js';

@Controller()
export class ChatController {
  constructor(private readonly sse: SseService) {}

  /** What is sent on any instance. */
  @Sse('events/chat')
  @SseChannel('chat')
  chat() {}

  /** A key of Redis: one instance looks for all of them, and the clients of each get the value. */
  @Sse('events/key')
  @SseChannel('demo', { source: 'cache', interval: 500, poller: 'elected' })
  key() {}

  @Post('chat')
  async send(@Body() text: string) {
    const from = `port ${process.env['PORT']}`;
    return { id: await this.sse.send('chat', { from, text }) };
  }

  @Put('key')
  @HttpCode(204)
  async setKey(@Body() text: string) {
    await this.sse.sendKey('demo', text);
  }

  @Get('instances')
  instances() {
    return process.env['INSTANCES']!.split(' ');
  }

  /** Ends this instance as a crash does. */
  @Post('crash')
  crash() {
    process.kill(process.pid, 'SIGKILL');
  }
}
