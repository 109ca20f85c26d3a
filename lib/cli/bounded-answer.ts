/** The most bytes of an answer to `publish`: many times what one of ours has for a request of 64 KiB. */
const MOST_BYTES = 16 * 1024 * 1024;

/** The text of an answer; empty where it is longer than any of the endpoint is. */
export async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const bytes of response.body ?? []) {
    size += bytes.length;
    if (size > MOST_BYTES) {
      return '';
    }
    text += decoder.decode(bytes, { stream: true });
  }
  return text + decoder.decode();
}
