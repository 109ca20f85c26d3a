/** A stream that a command writes to. */
interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** What a command that lasts has of its process. */
export interface CommandStreams {
  readonly output: Output;
  readonly errors: Output;
  /** Calls the listener when the command is to end. */
  onSignal(listener: (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') => void): void;
  /** Calls the listener when nobody reads the output any more. */
  onBrokenPipe(listener: () => void): void;
}

/** Those of this process. */
export function processStreams(): CommandStreams {
  const { stdout, stderr } = process;
  // Nobody reads what is said of the connection: the events go on.
  stderr.on('error', () => undefined);
  return {
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
