import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { median } from '../report/median.js';
import type { Stretch } from './app.js';

/**
 * What an open page of the inspector costs an instance, which has as many channels as connections and receives events
 * all the time:
 *
 *     npm run bench:inspector -- [connections] [events a second] [pairs] [seconds of a stretch]
 *
 * The page shows its overview, and asks for channels by rate and connections by lag each second. Stretches without and
 * with it take turns; the figure is the median of the differences within pairs, as a share of a core.
 */
const [connections = 10_000, eventsPerSecond = 5_000, pairs = 10, seconds = 6] = process.argv
  .slice(2)
  .map(Number);

async function ask<T>(child: ChildProcess, message: number | string): Promise<T> {
  child.send(message);
  const [answer] = (await once(child, 'message')) as [T];
  return answer;
}

/** Opens a stream, and reads what comes. */
async function open(url: string, path: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.resume().write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return socket;
}

interface Page {
  readonly answers: { count: number };
  close(): void;
}

/** Does what the page in a browser does while it is visible. */
async function openPage(url: string): Promise<Page> {
  const live = await open(url, '/inspector/live');
  const answers = { count: 0 };
  const look = async (): Promise<void> => {
    for (const path of ['channels?sort=rate&limit=60', 'connections?sort=lag&limit=60']) {
      const response = await fetch(`${url}/inspector/${path}`);
      const { rows } = (await response.json()) as { rows?: unknown[] };
      answers.count += rows?.length ? 1 : 0;
    }
  };
  const timer = setInterval(() => void look(), 1_000);
  await look();
  return {
    answers,
    close: () => {
      clearInterval(timer);
      live.destroy();
    },
  };
}

async function main(): Promise<void> {
  const child = fork(join(import.meta.dirname, 'app.js'), [
    String(connections),
    String(eventsPerSecond),
  ]);
  const [url] = (await once(child, 'message')) as [string];
  const sockets: Socket[] = [];
  for (let n = 0; n < connections!; n++) {
    sockets.push(await open(url, `/channels/${n}`));
  }
  while ((await ask<number>(child, 'connections')) < connections!) {
    await pause(100);
  }
  const stretch = (): Promise<Stretch> => ask<Stretch>(child, seconds! * 1_000);
  await stretch();
  const without: Stretch[] = [];
  const beside: Stretch[] = [];
  for (let pair = 0; pair < pairs!; pair++) {
    const measureWithout = async (): Promise<void> => void without.push(await stretch());
    const measureBeside = async (): Promise<void> => {
      const page = await openPage(url);
      beside.push(await stretch());
      page.close();
      if (page.answers.count < seconds!) {
        throw new Error(`The page was answered ${page.answers.count} times only.`);
      }
    };
    // Each is first as often as the other.
    const both = [measureWithout, measureBeside];
    for (const measure of pair % 2 === 0 ? both : both.reverse()) {
      await measure();
      await pause(500);
    }
  }
  const share = ({ cpu }: Stretch): number => cpu / (seconds! * 10);
  const differences = beside.map((each, n) => share(each) - share(without[n]!));
  const shown = (values: number[], digits = 2): string => median(values).toFixed(digits);
  console.log(
    `${connections} connections and channels, ${eventsPerSecond} events/s, ${pairs} pairs`,
  );
  for (const [name, stretches] of Object.entries({ without, 'with a page': beside })) {
    console.log(
      `${name.padEnd(12)} ${shown(stretches.map(share))} % of a core   turns: p99 ` +
        `${shown(stretches.map(({ p99 }) => p99))} ms, longest ${shown(stretches.map(({ longest }) => longest))} ms`,
    );
  }
  console.log(
    `the page      ${shown(differences)} % of a core (${differences.map((each) => each.toFixed(2)).join(', ')})`,
  );
  sockets.forEach((socket) => socket.destroy());
  child.kill();
}

void main();
