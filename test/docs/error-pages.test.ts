import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SseError, type SseErrorCode } from '../../lib/index.js';
import { projectRoot } from '../support/project-root.js';
import { read, tableUnder } from './markdown.js';

/** What the type of codes lists; at run time it is gone. */
const codes = [
  ...readFileSync(join(projectRoot, 'lib/channel/sse-error.ts'), 'utf8').matchAll(
    /^ {2}\| '(\w+)'/gm,
  ),
].map(([, code]) => code as SseErrorCode);

describe('The documentation of error codes', () => {
  it('has a page for each code, and lists them all in the table of options', () => {
    expect(codes.length).toBeGreaterThan(8);
    const rows = tableUnder('docs/options.md', 'Errors').map(({ Code }) => Code);
    expect(rows).toEqual(codes.map((code) => expect.stringContaining(code)));
  });

  it.each(codes)('links from %s to its page, and to the page from the list', (code) => {
    const { repository } = JSON.parse(read('package.json')) as { repository: { url: string } };
    const files = repository.url.replace(/^git\+/, '').replace(/\.git$/, '/blob/main/');
    const { help } = new SseError(code, 'wrong');
    expect(help.slice(0, files.length)).toBe(files);
    const page = help.slice(files.length);
    expect(existsSync(join(projectRoot, page))).toBe(true);
    expect(read(page)).toContain(`# \`${code}\`\n`);
    expect(read('docs/errors/README.md')).toContain(`(${page.split('/').at(-1)})`);
  });
});
