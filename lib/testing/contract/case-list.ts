import type { ContractTest } from './rig.js';
import { inContext, type Context, type SourceSubject } from './source-context.js';

/** The cases of a source's contract, and what they share. */
export interface CaseList {
  readonly subject: SourceSubject;
  /** How long to wait for what has to come, in milliseconds. */
  readonly timeout: number;
  /** Adds a case, which gets a source of its own. */
  add(name: string, run: (context: Context) => Promise<void>): void;
  /** Writes texts one after the other. */
  writeAll(channel: string, texts: readonly string[]): Promise<void>;
}

/** Collects cases in `tests`. */
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
