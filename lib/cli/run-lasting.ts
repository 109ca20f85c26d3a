import type { CommandStreams } from './command-streams.js';
import { mistakeOf } from './mistake.js';

type Command = (args: readonly string[], streams: CommandStreams) => Promise<number>;

/** The commands that talk to a server, loaded when they are asked for. */
export const LASTING: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['listen', async () => (await import('./listen/listen-command.js')).listenCommand],
  ['publish', async () => (await import('./publish/publish-command.js')).publishCommand],
]);

/** The exit code for wrong arguments. */
const WRONG_ARGUMENTS = 2;

/** Runs one of them. A mistake of the user's becomes a line on `errors`. @returns the exit code */
export async function runLasting(
  [name, ...args]: readonly string[],
  streams: CommandStreams,
): Promise<number> {
  const command = await LASTING.get(name!)!();
  try {
    return await command(args, streams);
  } catch (error) {
    const mistake = mistakeOf(error, name);
    if (mistake === undefined) {
      throw error;
    }
    streams.errors.write(mistake);
    return WRONG_ARGUMENTS;
  }
}
