import { posix } from 'node:path';
import { PAGES } from './pages.mjs';

/**
 * Lets a link of a page lead to the page of the site that its file became, and to the repository
 * where the file is no page.
 *
 * @param {import('markdown-it').default} md
 * @param {string} repository where the files of the repository are shown, with a slash at its end
 */
export function repositoryLinks(md, repository) {
  const fileOf = new Map([...PAGES].map(([file, page]) => [page, file]));
  md.core.ruler.push('repository-links', ({ tokens, env }) => {
    const file = fileOf.get(env.relativePath);
    // The pages that a program writes link to each other alone.
    if (file === undefined) return;
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const name = token.type === 'link_open' ? 'href' : token.type === 'image' ? 'src' : undefined;
      const target = name && token.attrGet(name);
      if (!target || /^(?:[a-z]+:|#)/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const wanted = posix.join(posix.dirname(file), path);
      const page = PAGES.get(wanted)?.replace(/^public\//, '');
      const suffix = anchor === undefined ? '' : `#${anchor}`;
      if (page !== undefined) token.attrSet(name, `/${page}${suffix}`);
      else if (name === 'href') token.attrSet(name, `${repository}${wanted}${suffix}`);
    }
  });
}
