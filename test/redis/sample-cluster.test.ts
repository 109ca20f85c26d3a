import { afterEach, expect, it } from '@jest/globals';
import { SseTestClient } from '../../lib/testing/index.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/until.js';
import { startSample, type SampleProcess } from '../sample/sample-process.js';

let sample: SampleProcess | undefined;

afterEach(async () => {
  await sample?.dispose();
});

it('The cluster sample shows both instances, and survives the end of one', async () => {
  sample = await startSample({}, [process.execPath, compiled('sample/cluster.ts')]);
  const address = await sample.address();
  const page = await (await fetch(address)).text();
  expect(page).toContain('Two instances, one order of events');
  const instances = (await (await fetch(`${address}/instances`)).json()) as string[];
  expect(instances).toHaveLength(2);
  const [one, two] = await Promise.all(
    instances.map((url) => SseTestClient.connect(`${url}/events/chat`)),
  );
  const send = async (url: string, text: string) => {
    const options = { method: 'POST', body: text, headers: { 'content-type': 'text/plain' } };
    return (await (await fetch(`${url}/chat`, options)).json()) as { id: string };
  };
  const { id } = await send(instances[1]!, 'hello');
  for (const client of [one!, two!]) {
    expect(await client.next()).toMatchObject({ id, data: expect.stringContaining('hello') });
  }
  await fetch(`${instances[1]}/crash`, { method: 'POST' }).catch(() => undefined);
  await two!.closed;
  await send(instances[0]!, 'while it was away');
  const back = await until(() => two!.reconnect().catch(() => undefined));
  expect(await back.next()).toMatchObject({ data: expect.stringContaining('while it was away') });
  await Promise.all([one!.close(), back.close()]);
}, 60_000);
