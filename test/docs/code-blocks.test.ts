import { beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { codeBlocks, documents, optionsUnder, type CodeBlock } from './markdown.js';
import { PAGE } from './package-recipes.js';
import { complaints, programOf, propertiesOf, valuesOf } from './type-check.js';

const blocks = documents().flatMap(codeBlocks);
/** `npm run test:recipes` compiles those of the recipes, as it has their packages. */
const isRecipe = ({ where }: CodeBlock): boolean => where.startsWith(`${PAGE}:`);
const typescript = blocks.filter(
  (block) => ['ts', 'tsx'].includes(block.language) && !isRecipe(block),
);
const javascript = blocks.filter(({ language }) => language === 'js');

const nameOf = ({ where, language }: CodeBlock): string =>
  `${where.replace(/[^\w]/g, '-')}.${language}`;

/** All that needs the types of the package is in one program, which takes seconds. */
let program: ts.Program;

beforeAll(() => {
  const wrong = `import { SseService } from 'nestjs-sse-channels';\nSseService.prototype.sent;`;
  const texts = typescript.map((block) => [nameOf(block), block.code] as const);
  program = programOf(
    new Map([...texts, ['wrong.ts', wrong], ['types.ts', valuesOf(['SseService'])]]),
  );
});

describe('The TypeScript in the documentation', () => {
  it('is found, and so are its mistakes', () => {
    expect(typescript.length).toBeGreaterThan(10);
    expect(complaints(program, 'wrong.ts')).toEqual([
      expect.stringMatching(/^line 2: Property 'sent' does not exist/),
    ]);
  });

  it.each(typescript)(
    'compiles: $where',
    (block) => {
      // Otherwise its names would be global, and two blocks would get in each other's way.
      expect(block.code).toMatch(/^(import|export) /m);
      expect(complaints(program, nameOf(block))).toEqual([]);
    },
    120_000,
  );

  it.each(javascript)('parses, where it is JavaScript: $where', ({ code }) => {
    const { diagnostics } = ts.transpileModule(code, {
      reportDiagnostics: true,
      fileName: 'block.js',
      compilerOptions: { target: ts.ScriptTarget.ESNext, allowJs: true },
    });
    expect(diagnostics).toEqual([]);
  });
});

describe('The tables of options', () => {
  it('list every member of the service', () => {
    expect(complaints(program, 'types.ts')).toEqual([]);
    const members = propertiesOf(program, 'types.ts').get('SseService')!;
    expect([...optionsUnder('docs/options.md', 'Service').keys()].sort()).toEqual(members.sort());
  });
});
