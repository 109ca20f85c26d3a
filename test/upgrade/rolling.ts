import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startAppProcess, type AppProcess } from '../redis/app-process.js';
import { count } from '../redis/instances.js';
import { ReturningClient } from '../redis/returning-client.js';
import { projectRoot } from '../support/project-root.js';
import { until } from '../support/until.js';

/** The version of this working tree. */
export const TODAY = join(projectRoot, 'lib/index.ts');

/** What one instance sent, in the order in which it did. */
export interface Sent {
  readonly sent: readonly string[];
  readonly rejected: number;
}

export interface Roll {
  /** The `lib/index.ts` of each instance. The first two start together; each later one replaces one. */
  readonly versions: readonly string[];
  /** The URL of the system, and the options of the version in which names differ. */
  env(library: string): Readonly<Record<string, string>>;
  /** The endpoints that clients read, one client each. */
  readonly paths: readonly string[];
  /** Called once the first two instances serve clients. */
  began?(): Promise<void>;
}

export interface Rolled {
  readonly clients: readonly ReturningClient[];
  /** What each instance sent, from the first one that started. */
  readonly sent: readonly Sent[];
}

/** Starts an instance of the version with this `lib/index.ts`. */
export function startVersion(
  library: string,
  env: Readonly<Record<string, string>>,
  app: string,
): Promise<AppProcess> {
  return startAppProcess(
    '',
    { LIBRARY: pathToFileURL(library).href, ...env },
    // The versions are TypeScript.
    ['--import', './scripts/typescript.mjs', app],
  );
}

/** Replaces instances one by one while all of them send, and clients move from one to the next. */
export async function roll({ versions, env, paths, began }: Roll): Promise<Rolled> {
  const start = (library: string, index: number): Promise<AppProcess> =>
    startVersion(library, { NAME: `instance-${index}`, ...env(library) }, 'test/upgrade/app.ts');
  const running: AppProcess[] = [];
  for (const [index, library] of versions.slice(0, 2).entries()) {
    running.push(await start(library, index));
  }
  await Promise.all(running.map((one) => told(one, 'send')));
  let turn = 0;
  const url = (path: string) => () => `${running[turn++ % running.length]!.url}/${path}`;
  const clients = paths.map((path) => new ReturningClient(url(path)));
  const fed = () => {
    const before = clients.map(({ received }) => received.length);
    return until(() => clients.every(({ received }, i) => received.length > before[i]! + 100));
  };
  await fed();
  await began?.();

  const sent: Sent[] = [];
  for (const [index, library] of versions.entries()) {
    if (index >= 2) {
      const next = await start(library, index);
      running.push(next);
      await told(next, 'send');
      await fed();
      const gone = running.shift()!;
      sent.push(await told<Sent>(gone, 'sent'));
      await gone.end('SIGTERM');
      await fed();
    }
  }
  for (const one of running) {
    sent.push(await told<Sent>(one, 'sent'));
  }
  return { clients, sent };
}

/** Waits until each client has received the last event of each sender. */
export async function receivedAll({ clients, sent }: Rolled): Promise<void> {
  const lasts = sent.map((each) => each.sent.at(-1)!);
  await until(() =>
    clients.every(({ received }) => lasts.every((text) => received.includes(text))),
  );
}

/** The events of one sender that a client lost, received twice, or received out of order. */
export function faultsOf(
  { received }: ReturningClient,
  { sent }: Pick<Sent, 'sent'>,
): ReturnType<typeof count> {
  const name = sent[0]!.slice(0, sent[0]!.indexOf(' ') + 1);
  const seen = received.filter((text) => text.startsWith(name));
  // The client may have come after the first events of this sender.
  return count(sent.slice(Math.max(sent.indexOf(seen[0]!), 0)), seen);
}

/** What an instance answers. @throws Error for a status of an error */
export async function told<T>(one: AppProcess, path: string): Promise<T> {
  const answer = await fetch(`${one.url}/${path}`);
  if (!answer.ok) {
    throw new Error(`${path} was answered with ${answer.status}: ${await answer.text()}`);
  }
  return (await answer.json()) as T;
}
