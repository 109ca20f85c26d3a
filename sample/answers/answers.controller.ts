import { Controller, Delete, Inject, Param, Post, Req, Sse } from '@nestjs/common';
import type { Request } from 'express';
import { SseChannel, SseService, channelName } from '../../lib/index.js';
import { Content } from '../content.decorator.js';
import { generatedAnswer } from './generated-answer.js';
import { ANSWER_PACE } from './tokens.js';

const ANSWER = 'answer:{id}';

/** Answers that are generated word by word, whoever reads them. */
@Controller()
export class AnswersController {
  constructor(
    private readonly sse: SseService,
    @Inject(ANSWER_PACE) private readonly pace: number,
  ) {}

  /** Begins an answer; 409 while there is another. */
  @Post('answers/:id')
  async ask(
    @Param('id') id: string,
    @Content() question: unknown,
    @Req() { headers }: Request,
  ): Promise<{ run: string }> {
    const begun = { question: String(question), by: headers.host ?? '' };
    const run = await this.sse.run(channelName(ANSWER, { id }), (signal) =>
      generatedAnswer(begun, this.pace, signal),
    );
    return { run: run.id };
  }

  /** The active answer, from its beginning; 204 when there is none. */
  @Sse('events/answers/:id')
  @SseChannel(ANSWER, { run: true })
  events() {}

  @Delete('answers/:id')
  async stop(@Param('id') id: string): Promise<{ stopped: boolean }> {
    return { stopped: await this.sse.stop(channelName(ANSWER, { id })) };
  }
}
