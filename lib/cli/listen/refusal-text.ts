import type { ClientResponse } from '../client-parts.js';

/** The most bytes of an answer that are read for its message: many times what one of Nest's has. */
const MOST_BYTES = 64 * 1024;

/**
 * What an answer that is no stream says: the `message` of its JSON, as Nest answers an exception; empty
 * where it has none, is too long, or breaks off. So it is for a text that has the address in it, as
 * Nest's 404 does: there may be a ticket in it.
 */
export async function refusalText({ headers, body }: ClientResponse, url: string): Promise<string> {
  if (!body || !/^application\/(.+\+)?json\s*(;|$)/i.test(headers.get('content-type') ?? '')) {
    return '';
  }
  try {
    const decoder = new TextDecoder();
    const reader = body.getReader();
    let text = '';
    for (let size = 0; ;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value?.length ?? 0;
      if (size > MOST_BYTES) return '';
      text += decoder.decode(value, { stream: true });
    }
    const { message } = Object(JSON.parse(text + decoder.decode())) as Record<string, unknown>;
    const said = Array.isArray(message) ? message.join(' ') : message;
    const { pathname, search } = new URL(url);
    return typeof said === 'string' && !said.includes(pathname + search) ? said : '';
  } catch {
    // The status tells enough.
    return '';
  }
}
