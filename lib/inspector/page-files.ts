import { FILES } from './page.generated.js';

/** A file of the page, as it is answered. */
export interface PageFile {
  readonly text: string;
  readonly type: string;
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

/** A script or style of the page; `undefined` for any other name. */
export function assetOf(name: string): PageFile | undefined {
  const type = TYPES[name.slice(name.lastIndexOf('.') + 1)];
  if (type === undefined || !Object.hasOwn(FILES, name)) {
    return undefined;
  }
  const { text, digest } = FILES[name]!;
  return { text, type, etag: `"${digest}"` };
}

/**
 * The page for the address of a request. Its files are found relative to the address, whatever proxies have put
 * before it: `/admin/inspector` needs the folder that `/admin/inspector/` has already.
 */
export function pageFor(url: string): string {
  const [path = ''] = url.split('?', 1);
  const last = path.slice(path.lastIndexOf('/') + 1);
  const folder = last === '' || last === INDEX ? './' : `./${last}/`;
  return FILES[INDEX]!.text.replaceAll('="assets/', () => `="${escaped(folder)}assets/`);
}

const INDEX = 'index.html';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '"': '&quot;',
  "'": '&#39;',
  '<': '&lt;',
  '>': '&gt;',
};

function escaped(text: string): string {
  return text.replaceAll(/[&"'<>]/g, (character) => ESCAPES[character]!);
}
