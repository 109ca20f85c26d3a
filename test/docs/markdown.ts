import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';

/** A fenced block of code, and where it stands. */
export interface CodeBlock {
  /** Such as `README.md:40`. */
  readonly where: string;
  readonly language: string;
  readonly code: string;
}

/** A row of a table: its cells by the names of the columns. */
export type Row = Readonly<Record<string, string>>;

/** The documentation: what stands at the top, and everything in docs/, as paths from the root. */
export function documents(): string[] {
  const inDocs = readdirSync(join(projectRoot, 'docs'), { recursive: true, encoding: 'utf8' });
  return [
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    ...inDocs.map((name) => `docs/${name}`),
  ].filter((path) => path.endsWith('.md'));
}

export function read(document: string): string {
  return readFileSync(join(projectRoot, document), 'utf8');
}

export function codeBlocks(document: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const lines = read(document).split('\n');
  for (let start = 0; start < lines.length; start++) {
    const fence = /^( *)```(\S*)/.exec(lines[start]!);
    if (!fence) continue;
    let end = start + 1;
    while (end < lines.length && lines[end]!.trim() !== '```') end++;
    const code = lines.slice(start + 1, end).map((line) => line.slice(fence[1]!.length));
    blocks.push({
      where: `${document}:${start + 1}`,
      language: fence[2]!,
      code: code.join('\n'),
    });
    start = end;
  }
  return blocks;
}

/** The rows of all tables under a heading, up to the next heading of any level. */
export function tableUnder(document: string, heading: string): Row[] {
  const lines = read(document).split('\n');
  const start = lines.findIndex(
    (line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading,
  );
  if (start < 0) throw new Error(`${document} has no heading "${heading}".`);
  let end = start + 1;
  while (end < lines.length && !/^#+ /.test(lines[end]!)) end++;
  const rows = lines
    .slice(start, end)
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .replaceAll('\\|', '\0')
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('\0', '|')),
    );
  const [names = [], , ...body] = rows;
  return body.map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i] ?? ''])));
}

/** The rows of all tables under a heading by the option, member or code that each one begins with. */
export function optionsUnder(document: string, heading: string): Map<string, Row> {
  return new Map(
    tableUnder(document, heading).map((row) => {
      const name = Object.values(row)[0]!;
      return [/`([\w.$]+)/.exec(name)![1]!, row];
    }),
  );
}

/** The targets of all links and images, but for those in code. */
export function links(document: string): string[] {
  const prose = read(document)
    .replace(/^( *)```[\s\S]*?^\1```/gm, '')
    .replace(/`[^`\n]*`/g, '');
  const targets = prose.matchAll(/\]\(([^)\s]+)\)|\ssrc(?:set)?="([^"]+)"/g);
  return [...targets].map(([, target, picture]) => (target ?? picture)!);
}

/** The anchors of a document's headings, as GitHub makes them. */
export function anchors(document: string): string[] {
  return read(document)
    .replace(/^( *)```[\s\S]*?^\1```/gm, '')
    .split('\n')
    .filter((line) => /^#+ /.test(line))
    .map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );
}
