import { SharedUpstream } from './shared-upstream.js';
import type { Upstream, UpstreamSink } from './upstream.js';

/** Changes with what tabs say to each other: another version of the client has a connection of its own. */
const PROTOCOL = 1;

/** What {@link shareTabs} takes. */
export interface ShareTabsOptions {
  /**
   * Whose tabs these are, such as the id of the user who is logged in. Tabs with the same key share a
   * connection, which has the cookies and headers of the tab that leads: after another login use
   * another key. Default: empty
   */
  readonly key?: string;
  /**
   * Told once, with the reason, where tabs cannot share: there are no Web Locks or no BroadcastChannel,
   * the page is no secure context, or the browser forbids its origin to store anything. The tab then has
   * a connection of its own. Default: a line in the console
   */
  readonly onFallback?: (reason: string) => void;
}

/** The client whose tabs are to share. */
export interface SharingClient {
  readonly url: string;
  readonly credentials: string | undefined;
  /** Makes a connection of its own. */
  readonly connect: (sink: UpstreamSink) => Upstream;
}

/** What the option `tabs` of a client is: see {@link shareTabs}. */
export type TabSharing = (client: SharingClient, sink: UpstreamSink) => Upstream;

/**
 * Makes the tabs of a browser share one connection: for the option `tabs` of a client.
 *
 * @example
 * ```ts
 * const client = new SseClient('/events', { tabs: shareTabs({ key: user.id }) });
 * ```
 */
export function shareTabs(options: ShareTabsOptions = {}): TabSharing {
  const { key = '', onFallback = warn } = options;
  return ({ url, credentials = '', connect }, sink) =>
    new SharedUpstream(sink, { name: sharingName(url, key, credentials), connect, onFallback });
}

/** The name of the lock: locks are those of the page's origin, so the address is as the page wrote it. */
export function sharingName(url: string, key: string, credentials: string): string {
  return `sse-channels/${PROTOCOL}/${[key, credentials, url].map(encodeURIComponent).join('/')}`;
}

function warn(reason: string): void {
  // oxlint-disable-next-line no-console -- A page has no other place to say it.
  console.warn(`This tab has a connection of its own, as ${reason}.`);
}
