import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

const DEADLINE_MS = 60_000;
const HELLO = '{"text":"Hello"}';

/**
 * Runs a build of the README's first example, and has a stream receive what is posted to it.
 * @throws when it does not start, does not stream, or does not end when told
 */
export function runExample(file) {
  return withExample(file, receiveHello);
}

/**
 * Runs a build of the README's first example while somebody uses it.
 * @param use is given the URL of a room, and when to end
 * @throws when it does not start, does not end when told, or `use` throws
 */
export async function withExample(file, use) {
  const port = await freePort();
  const env = { ...process.env, PORT: String(port), NO_COLOR: '1' };
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], { env });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const exit = once(child, 'exit').then(([code, signal]) => signal ?? code);
  try {
    const end = AbortSignal.timeout(DEADLINE_MS);
    const failed = exit.then((code) => Promise.reject(new Error(`it ended with ${code}`)));
    const room = `http://127.0.0.1:${port}/rooms/lobby`;
    const used = whenListening(`${room}/events`, end)
      .then((stream) => stream.body.cancel())
      .then(() => use(room, end));
    await Promise.race([used, failed]);
    child.kill('SIGTERM');
    const code = await Promise.race([exit, once(end, 'abort').then(() => 'no end')]);
    if (code !== 'SIGTERM') throw new Error(`it ended with ${code} after SIGTERM`);
  } catch (error) {
    throw new Error(`${error.message}\n${output}`, { cause: error });
  } finally {
    child.kill('SIGKILL');
  }
}

async function receiveHello(room, signal) {
  const stream = await fetch(`${room}/events`, { signal });
  const said = fetch(room, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: HELLO,
    signal,
  });
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream.body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes(`data: ${HELLO}`)) {
      const { id } = await (await said).json();
      if (!text.includes(`id: ${id}`)) throw new Error(`the event has another id than ${id}`);
      return;
    }
  }
  throw new Error(`the stream ended after ${JSON.stringify(text)}`);
}

async function whenListening(url, signal) {
  for (;;) {
    try {
      return await fetch(url, { signal });
    } catch (error) {
      signal.throwIfAborted();
      if (error.cause?.code !== 'ECONNREFUSED') throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
