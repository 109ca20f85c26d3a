import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkLinks } from '../../site/check-links.mjs';

describe('The link check of the documentation site', () => {
  let dist: string;

  beforeAll(() => {
    dist = mkdtempSync(join(tmpdir(), 'site-'));
    mkdirSync(join(dist, 'docs'));
    writeFileSync(join(dist, 'docs/other.html'), '<h2 id="there">There</h2>');
    writeFileSync(join(dist, 'logo.svg'), '');
  });
  afterAll(() => rmSync(dist, { recursive: true }));

  it('finds missing pages, anchors and files, and nothing else', () => {
    const links = [
      'https://elsewhere.example/none',
      '/docs/other',
      'docs/other.html#there',
      '/logo.svg',
      '#here',
      '/docs/none',
      '/docs/other#none',
      '#none',
    ].map((target) => `<a href="${target}">a</a>`);
    writeFileSync(join(dist, 'index.html'), `<h1 id="here">Here</h1>${links.join('')}`);
    const { checked, broken } = checkLinks(dist, '/');
    expect(checked).toBe(7);
    expect([...broken.keys()]).toEqual(['/docs/none', '/docs/other#none', '#none']);
  });
});
