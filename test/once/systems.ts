import type { SseModuleOptions } from '../../lib/index.js';

/** What carries the events of a test, for instances that share it. */
export interface System {
  readonly options: SseModuleOptions;
  stop(): Promise<void>;
}

export const SYSTEMS: Record<string, () => Promise<System>> = {
  async memory() {
    return { options: {}, stop: async () => undefined };
  },
};
