import { Controller, Sse } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { SseChannel, SseService, type SseEvent } from '../lib/index.js';

/** A function that the module calls once a second, for all clients together. */
@Controller()
export class ClockController {
  private readonly time$: Observable<SseEvent<{ time: string }>>;

  constructor(sse: SseService) {
    this.time$ = sse.poll(() => ({ time: new Date().toISOString() }), { interval: 1_000 });
  }

  @Sse('events/clock')
  @SseChannel()
  events() {
    return this.time$;
  }
}
