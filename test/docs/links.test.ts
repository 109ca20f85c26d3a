import { describe, expect, it } from '@jest/globals';
import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { projectRoot } from '../support/project-root.js';
import { anchors, documents, links } from './markdown.js';

/** What the benchmark draws; it is there once the benchmark has run. */
const MADE_BY_BENCH = 'docs/bench.svg';

describe('The documentation', () => {
  it.each(documents())('links to files and headings that exist: %s', (document) => {
    const broken = links(document).filter((target) => {
      if (/^https?:/.test(target)) return false;
      const [path = '', anchor] = target.split('#');
      const file =
        path === '' ? document : relative(projectRoot, join(projectRoot, dirname(document), path));
      if (file === MADE_BY_BENCH) return false;
      if (!existsSync(join(projectRoot, file))) return true;
      if (anchor === undefined) return false;
      return statSync(join(projectRoot, file)).isDirectory() || !anchors(file).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});
