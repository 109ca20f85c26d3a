import pg from 'pg';

/** Reads `id > last` again and again, as one would without knowing better. */
export async function readNaively(url: string) {
  const client = new pg.Client({ connectionString: url, application_name: 'naive' });
  client.on('error', () => undefined);
  await client.connect();
  const data: string[] = [];
  let isStopped = false;
  let last = 0;
  const look = async (): Promise<number> => {
    const { rows } = await client.query<{ id: string; data: string }>(
      'select id, data from sse.event where id > $1 order by id limit 500',
      [last],
    );
    for (const row of rows) {
      data.push(row.data);
      last = Number(row.id);
    }
    return rows.length;
  };
  const running = (async () => {
    while (!isStopped) {
      await look();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    while ((await look()) > 0);
    await client.end();
  })();
  return {
    data,
    async stop() {
      isStopped = true;
      await running;
    },
  };
}
