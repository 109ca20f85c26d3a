import { SseTestClient, type SseTestClientOptions } from '../../lib/testing/index.js';
import { until } from '../support/until.js';

/** Opens a channel's stream. Resolves once it has its position: from there nothing is missed. */
export async function openEvents(
  url: string,
  options?: SseTestClientOptions,
): Promise<SseTestClient> {
  const client = await SseTestClient.connect(url, options);
  if (client.opened.status === 200) {
    await until(() => client.lastEventId !== '', { what: `the opening frame of ${url}` });
  }
  return client;
}
