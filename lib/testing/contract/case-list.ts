import type { ContractTest } from './rig.js';
import { inContext, type Context, type SourceSubject } from './source-context.js';

/** Collects the cases of a source's contract, with the tools that they share. */
export interface CaseList {
  readonly subject: SourceSubject;
  /** How long a case waits for an event or a reset, in milliseconds. */
  readonly timeout: number;
  /** Adds a case, which gets a source of its own. */
  add(name: string, run: (context: Context) => Promise<void>): void;
  writeAll(channel: string, texts: readonly string[]): Promise<void>;
}

/** A list that adds its cases to `tests`. */
export function caseList(subject: SourceSubject, tests: ContractTest[]): CaseList {
  const { timeout = 10_000 } = subject;
  return {
    subject,
    timeout,
    add: (name, run) => void tests.push({ name, run: () => inContext(subject, timeout, run) }),
    writeAll: async (channel, texts) => {
      for (const text of texts) {
        await subject.write(channel, text);
      }
    },
  };
}
