import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const BESIDE = new URL('./', import.meta.url);
/** The compiler copies no pages: from its output the way leads back to the source. */
const SOURCE = new URL('../../sample/', import.meta.url);

/** The full path of a folder with pages, such as `public`. */
export function publicFolder(name: string): string {
  const beside = fileURLToPath(new URL(name, BESIDE));
  return existsSync(beside) ? beside : fileURLToPath(new URL(name, SOURCE));
}
