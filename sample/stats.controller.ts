import { Controller, Get, Inject } from '@nestjs/common';
import { SseService } from '../lib/index.js';
import { USES, type Uses } from './tokens.js';

/** The systems that the sample uses and the module's numbers, for the page's header. */
@Controller()
export class StatsController {
  constructor(
    private readonly sse: SseService,
    @Inject(USES) private readonly uses: Uses,
  ) {}

  @Get('stats')
  stats() {
    return { uses: this.uses, sse: this.sse.stats() };
  }
}
