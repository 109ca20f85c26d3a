import {
  Controller,
  Delete,
  HttpCode,
  Inject,
  Param,
  Put,
  ServiceUnavailableException,
  Sse,
} from '@nestjs/common';
import { SseChannel, SseService } from '../lib/index.js';
import { Content } from './content.decorator.js';
import { Key } from './key.channel.js';
import { KEY_STORE, type KeyStore } from './tokens.js';

/** A key of the cache: the module takes every value that a program writes there, and sends it to the browsers. */
@Controller()
export class KeysController {
  constructor(
    private readonly sse: SseService,
    @Inject(KEY_STORE) private readonly store: KeyStore,
  ) {}

  @Sse('events/keys/:key')
  @SseChannel(Key, { source: 'cache', interval: 200 })
  events() {}

  @Put('keys/:key')
  @HttpCode(204)
  async send(@Param('key') key: string, @Content() value: unknown): Promise<void> {
    await this.sse.to(Key, { key }).sendKey('message', value);
  }

  /** Sends the done signal: every client receives it, and does not return after its stream has ended. */
  @Delete('keys/:key')
  @HttpCode(204)
  async done(@Param('key') key: string): Promise<void> {
    await this.sse.to(Key, { key }).sendKey('message', '[DONE]');
  }

  /** Writes to the key as `redis-cli SET` or a program in another language does, without the module. */
  @Put('cache/:key')
  @HttpCode(204)
  async write(@Param('key') key: string, @Content() value: unknown): Promise<void> {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    try {
      await this.store.set(Key.channel({ key }), text);
    } catch (error) {
      throw new ServiceUnavailableException('Redis cannot be reached at the moment. Try again.', {
        cause: error,
      });
    }
  }
}
