import type { Readable } from 'node:stream';

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** What a shell reports of a command that a signal has ended: 128 and the signal's number. */
const CODES: Readonly<Record<Signal, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

export function codeOf(signal: Signal): number {
  return CODES[signal];
}

/** A stream that a command writes to. */
interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** What a command that lasts has of its process. */
export interface CommandStreams {
  readonly input: Readable;
  readonly output: Output;
  readonly errors: Output;
  /** Calls the listener when the command is to end. */
  onSignal(listener: (signal: Signal) => void): void;
  /** Calls the listener when nobody reads the output any more. */
  onBrokenPipe(listener: () => void): void;
}

/** Those of this process. */
export function processStreams(): CommandStreams {
  const { stdout, stderr } = process;
  // Nobody reads what is said of the connection: the events go on.
  stderr.on('error', () => undefined);
  return {
    // It is opened when it is read: a terminal would keep the process.
    get input() {
      return process.stdin;
    },
    output: stdout,
    errors: stderr,
    onSignal: (listener) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, () => listener(signal));
      }
    },
    onBrokenPipe: (listener) => {
      stdout.on('error', listener);
    },
  };
}
