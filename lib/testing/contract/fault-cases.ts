import { setTimeout as sleep } from 'node:timers/promises';
import type { CaseList } from './case-list.js';
import { numbered, until, type ContractReader } from './rig.js';

const REASONS = ['trimmed', 'unknown-position', 'failover'] as const;

/** Cases with restarts, and with faults of the system behind the source. */
export function addFaultCases({ add, writeAll, subject, timeout }: CaseList): void {
  const { write, trim, replace, interrupt } = subject;

  add('resumes after a restart of the application, or sends a reset', async (context) => {
    const { rig, source, channel } = context;
    const reader = await rig.read(source, channel);
    await writeAll(channel, numbered(5));
    await rig.received(reader, numbered(5));
    const position = reader.events[2]!.id;
    await context.restart();
    await writeAll(channel, numbered(3, 5));
    const returning = await context.rig.read(context.source, channel, position);
    await write(channel, 'event 8');
    await context.rig.receivedOrTold(returning, numbered(6, 3));
  });

  if (trim) {
    add('sends a reset when events after a position were dropped', async (context) => {
      const { rig, source, channel } = context;
      const reader = await rig.read(source, channel);
      await writeAll(channel, numbered(40));
      await rig.received(reader, numbered(40));
      const position = reader.events[0]!.id;
      await context.restart();
      await trim(channel);
      const returning = await context.rig.read(context.source, channel, position);
      await context.rig.told(returning, REASONS);
      await write(channel, 'event 40');
      await context.rig.receivedOrTold(returning, numbered(41));
    });
  }

  if (replace) {
    add('sends a reset when its history was replaced, and goes on', async (context) => {
      const { rig, source, channel } = context;
      const reader = await rig.read(source, channel);
      await writeAll(channel, numbered(6));
      await rig.received(reader, numbered(6));
      const [early, position] = [reader.events[2]!.id, reader.events[5]!.id];
      await replace(channel);
      await writeAll(channel, numbered(3, 6));
      // Events of about that time may be missing, but only after a reset.
      const toldOrHas = (one: ContractReader, text: string): Promise<void> =>
        until(
          () => one.resets.length > 0 || one.data.at(-1) === text,
          () => 'neither the events after it nor a reset came',
          timeout,
        );
      await toldOrHas(reader, 'event 8');
      await write(channel, 'event 9');
      await rig.receivedOrTold(reader, numbered(10));
      await context.restart();
      const returning = await context.rig.read(context.source, channel, position);
      await write(channel, 'event 10');
      await toldOrHas(returning, 'event 10');
      await write(channel, 'event 11');
      await context.rig.receivedOrTold(returning, numbered(6, 6));
      // What followed its position is gone with the old history.
      const behind = await context.rig.read(context.source, channel, early);
      await write(channel, 'event 12');
      await toldOrHas(behind, 'event 12');
      await write(channel, 'event 13');
      await context.rig.receivedOrTold(behind, numbered(11, 3));
    });
  }

  if (interrupt) {
    add('connects again after a cut, and loses nothing without a reset', async (context) => {
      const { rig, source, channel } = context;
      const reader = await rig.read(source, channel);
      await write(channel, 'event 0');
      await rig.received(reader, ['event 0']);
      const written = ['event 0'];
      let attempts = 0;
      const writeNext = async (): Promise<void> => {
        // Writing may fail meanwhile. Nobody knows then whether the system has the event.
        written.push(
          await retried(
            () => `event ${++attempts}`,
            (text) => write(channel, text),
            timeout,
          ),
        );
      };
      for (let round = 0; round < 3; round++) {
        await interrupt();
        await writeNext();
      }
      // A source without a history receives only events that are written after its return.
      const end = performance.now() + timeout;
      while (reader.data.at(-1) !== written.at(-1) && performance.now() < end) {
        await writeNext();
        await sleep(100);
      }
      await rig.receivedOrTold(reader, written);
    });
  }
}

/** Writes texts until the system takes one, and returns that one. */
async function retried(
  next: () => string,
  write: (text: string) => Promise<unknown>,
  timeout: number,
): Promise<string> {
  const end = performance.now() + timeout;
  for (;;) {
    const text = next();
    try {
      await write(text);
      return text;
    } catch (error) {
      if (performance.now() > end) {
        throw error;
      }
      await sleep(50);
    }
  }
}
