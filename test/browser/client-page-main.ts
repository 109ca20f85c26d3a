import type { ReceivedEvent } from '../clients/listening.js';
import { follow } from '../clients/own-client.js';
import type { Report } from './stream-page.js';

/** What a script of a browser finds; the tests know Node's types only. */
declare const location: { readonly href: string };

/**
 * Opens the stream `?stream=` by our own client, and posts everything that happens, in order, to
 * `?reports=`, if there is one. `received` of the page has it as well.
 */
const asked = new URL(location.href).searchParams;
const received: ReceivedEvent[] = [];
Object.assign(globalThis, { received });
const reports: Report[] = [];
let isSending = false;

async function report(what: Report): Promise<void> {
  const address = asked.get('reports');
  if (address === null) return;
  reports.push(what);
  if (isSending) return;
  isSending = true;
  while (reports.length > 0) {
    await fetch(address, { method: 'POST', body: JSON.stringify(reports.splice(0)) });
  }
  isSending = false;
}

follow(
  asked.get('stream')!,
  (event) => {
    received.push(event);
    void report(event);
  },
  () => void report({ state: 2 }),
);
