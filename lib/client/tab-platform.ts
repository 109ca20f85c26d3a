/** What tabs need of the browser: the types of one, and of Node, have it in other words. */
export interface TabPlatform {
  /** Web Locks. */
  readonly navigator?: { readonly locks?: LockStore };
  readonly BroadcastChannel?: new (name: string) => TabLine;
  readonly isSecureContext?: boolean;
  addEventListener?(type: string, listener: () => void, isCaptured: boolean): void;
  removeEventListener?(type: string, listener: () => void, isCaptured: boolean): void;
}

export interface LockStore {
  request(
    name: string,
    options: { readonly steal?: boolean; readonly signal?: AbortSignal },
    hold: () => Promise<void>,
  ): Promise<unknown>;
  query(): Promise<{ readonly held?: readonly { readonly name?: string }[] }>;
}

/** A BroadcastChannel. */
export interface TabLine {
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  postMessage(message: unknown): void;
  close(): void;
}

export const platform = globalThis as unknown as TabPlatform;

/** Why tabs cannot share anything here; `undefined` where they can, as far as is known. */
export function whyNotShared(): string | undefined {
  if (platform.isSecureContext === false) {
    return 'the page is no secure context; serve it by https';
  }
  if (!platform.navigator?.locks) return 'the platform has no Web Locks';
  return platform.BroadcastChannel ? undefined : 'the platform has no BroadcastChannel';
}
