import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

/**
 * Follows every link of a built site to another of its pages, files or anchors.
 *
 * @param {string} dist the folder of the site
 * @param {string} base the path that it is served under
 */
export function checkLinks(dist, base) {
  const files = readdirSync(dist, { recursive: true, encoding: 'utf8' });
  const html = files.filter((name) => name.endsWith('.html') && name !== '404.html');
  const text = new Map(html.map((name) => [name, readFileSync(join(dist, name), 'utf8')]));
  const ids = new Map(
    [...text].map(([name, page]) => [
      name,
      new Set([...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => decoded(id))),
    ]),
  );
  /** Each target that leads nowhere, with a page that has it. */
  const broken = new Map();
  let checked = 0;
  for (const [page, content] of text) {
    for (const [, raw] of content.matchAll(/\s(?:href|src)="([^"]+)"/g)) {
      const target = decoded(raw);
      if (/^[a-z]+:|^\/\//.test(target)) continue;
      checked++;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : fileOf(page, path);
      if (file === undefined || (anchor && ids.get(file)?.has(anchor) === false)) {
        broken.set(target, page);
      }
    }
  }
  return { checked, broken };

  /** @param {string} page @param {string} path */
  function fileOf(page, path) {
    const absolute = path.startsWith('/')
      ? path.startsWith(base)
        ? path.slice(base.length)
        : undefined
      : posix.join(posix.dirname(page), path);
    if (absolute === undefined) return undefined;
    return [absolute, `${absolute}.html`, posix.join(absolute, 'index.html')].find((name) => {
      const file = join(dist, name);
      return existsSync(file) && statSync(file).isFile();
    });
  }
}

/** @param {string} text of an attribute */
function decoded(text) {
  return decodeURIComponent(text.replaceAll('&amp;', '&').replaceAll('&quot;', '"'));
}
