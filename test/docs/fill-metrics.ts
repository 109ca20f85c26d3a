import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';
import { labelRows, metricRows } from './metric-tables.js';
import type { Row } from './markdown.js';

/** Writes the tables of docs/metrics.md from the code. Run prettier afterwards. */
const path = join(projectRoot, 'docs/metrics.md');

function fill(text: string, rows: readonly Row[]): string {
  const columns = Object.keys(rows[0]!);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const head = new RegExp(`^\\| ${columns.join(' +\\| ')} +\\|\\n(?:\\|.*\\n)+`, 'm');
  const table = [
    line(columns),
    line(columns.map(() => '---')),
    ...rows.map((row) => line(columns.map((column) => row[column]!))),
  ];
  return text.replace(head, `${table.join('\n')}\n`);
}

writeFileSync(path, fill(fill(readFileSync(path, 'utf8'), metricRows()), labelRows()));
