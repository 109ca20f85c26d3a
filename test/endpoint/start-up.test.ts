import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseChannel } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';

@Controller('teams/:team')
class TeamsController {
  @Sse('jobs/:id')
  @SseChannel('team:{team}:job:{id}')
  known() {}

  @Sse('misspelt/:id')
  @SseChannel('job:{jobId}')
  misspelt() {}
}

describe.each(ADAPTERS)('at start-up on %s', (adapter) => {
  afterEach(closeApps);

  it('warns of a placeholder that the route has no parameter for', async () => {
    const warnings: string[] = [];
    const note = (): undefined => undefined;
    await startApp({
      adapter,
      controllers: [TeamsController],
      logger: {
        log: note,
        error: note,
        warn: (message: string) => void warnings.push(message),
      } as never,
    });
    expect(warnings).toEqual([
      "@SseChannel() on TeamsController.misspelt: the template has {jobId}, and the route's path " +
        'no parameter :jobId. Without one, every request is answered with 500.',
    ]);
  });
});

describe('@SseChannel()', () => {
  it('refuses an option that there is not', () => {
    const options = { overlfow: 'latest' } as object;
    expect(() => {
      class MisspeltController {
        @SseChannel('news', options)
        news() {}
      }
      return MisspeltController;
    }).toThrow(/MisspeltController.news: there is no option `overlfow`. There are: source, /);
  });
});
