import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Get, Param, Query, Sse } from '@nestjs/common';
import { SseChannel, SseService } from '../../lib/index.js';

/** What a source of a run has done. */
export interface Emitted {
  readonly count: number;
  readonly isAborted: boolean;
}

/** Begins runs that count, and follows them. */
@Controller()
export class ChatsController {
  private readonly emitted = new Map<string, { count: number; signal: AbortSignal }>();

  constructor(private readonly sse: SseService) {}

  /** Begins a run of `count` chunks, one every so many milliseconds. */
  @Get('begin/:id')
  async begin(
    @Param('id') id: string,
    @Query() { count = '100', every = '5', lease = '10000' }: Record<string, string>,
  ): Promise<{ id: string }> {
    const run = await this.sse.run(
      `chat:${id}`,
      (signal) => this.numbers(id, Number(count), Number(every), signal),
      { lease: Number(lease) },
    );
    return { id: run.id };
  }

  @Get('emitted/:id')
  emittedOf(@Param('id') id: string): Emitted {
    const { count = 0, signal } = this.emitted.get(id) ?? {};
    return { count, isAborted: signal?.aborted === true };
  }

  @Get('about')
  about(): { pid: number } {
    return { pid: process.pid };
  }

  @Sse('chats/:id')
  @SseChannel('chat:{id}', { run: true })
  follow(): void {
    // The channel is all there is to it.
  }

  private async *numbers(
    id: string,
    count: number,
    every: number,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    const emitted = { count: 0, signal };
    this.emitted.set(id, emitted);
    while (emitted.count < count) {
      yield `chunk ${++emitted.count}`;
      await sleep(every, undefined, { signal });
    }
  }
}
