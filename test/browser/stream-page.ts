import { Controller, Get, Header } from '@nestjs/common';
import { TYPES } from '../clients/listening.js';

/** What a page tells of its stream. */
export type Report =
  | { readonly type: string; readonly data: string; readonly id: string }
  /** The `readyState` of an EventSource that has told of an error. */
  | { readonly state: number };

/** Opens the stream `?stream=` and posts everything that happens, in order, to `?reports=`. */
export const PAGE = `<!doctype html><title>A stream</title><script>
const asked = new URL(location.href).searchParams;
const reports = [];
let isSending = false;
async function report(what) {
  reports.push(what);
  if (isSending) return;
  isSending = true;
  while (reports.length > 0) {
    const body = JSON.stringify(reports.splice(0));
    await fetch(asked.get('reports'), { method: 'POST', body });
  }
  isSending = false;
}
const source = new EventSource(asked.get('stream'));
for (const type of ${JSON.stringify(TYPES)}) {
  source.addEventListener(type, ({ data, lastEventId }) => report({ type, data, id: lastEventId }));
}
source.addEventListener('error', () => report({ state: source.readyState }));
</script>`;

/** Serves the page from the origin of the streams. */
@Controller()
export class StreamPageController {
  @Get('page')
  @Header('content-type', 'text/html; charset=utf-8')
  page(): string {
    return PAGE;
  }
}
