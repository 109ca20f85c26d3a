import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from './rig.js';

/**
 * The least that brings a row of the event table to a client: a notification, one statement that
 * reads the row, one write. It loses events wherever the library does not, and is here to show what
 * part of the time is nobody's choice.
 */
const client = await connect(process.env['POSTGRES'] ?? '');
await client.query('set plan_cache_mode = force_generic_plan');
const [start] = (await client.query<{ last: string }>('select last from sse.head()')).rows;
let last = Number(start!.last);
let response: ServerResponse | undefined;

async function look(): Promise<void> {
  const { rows } = await client.query<{ id: string; event: string; data: string }>({
    name: 'look',
    text: 'select id, event, data from sse.event where id > $1 order by id',
    values: [last],
  });
  for (const { id, event, data } of rows) {
    last = Number(id);
    response?.write(`id: ${id}\nevent: ${event}\ndata: ${data}\n\n`);
  }
}
client.on('notification', () => void look());
await client.query('listen sse');

const server = createServer((_, incoming) => {
  response = incoming.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
});
server.listen(0, '127.0.0.1', () =>
  console.log(`listening ${(server.address() as AddressInfo).port}`),
);
process.on('SIGTERM', () => process.exit());
