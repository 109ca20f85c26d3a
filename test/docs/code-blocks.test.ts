import { beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { codeBlocks, documents, type CodeBlock } from './markdown.js';
import { PAGE } from './package-recipes.js';
import { complaints, programOf } from './type-check.js';

const blocks = documents().flatMap(codeBlocks);
/** `npm run test:recipes` compiles those of the recipes, as it has their packages. */
const isRecipe = ({ where }: CodeBlock): boolean => where.startsWith(`${PAGE}:`);
const typescript = blocks.filter((block) => block.language === 'ts' && !isRecipe(block));
const javascript = blocks.filter(({ language }) => language === 'js');

describe('The TypeScript in the documentation', () => {
  let program: ts.Program;

  const nameOf = (where: string): string => `${where.replace(/[^\w]/g, '-')}.ts`;

  beforeAll(() => {
    const wrong = `import { SseService } from 'nestjs-sse-channels';\nSseService.prototype.sent;`;
    const texts = typescript.map(({ where, code }) => [nameOf(where), code] as const);
    program = programOf(new Map([...texts, ['wrong.ts', wrong]]));
  }, 120_000);

  it('is found, and so are its mistakes', () => {
    expect(typescript.length).toBeGreaterThan(10);
    expect(complaints(program, 'wrong.ts')).toEqual([
      expect.stringMatching(/^line 2: Property 'sent' does not exist/),
    ]);
  }, 120_000);

  it.each(typescript)(
    'compiles: $where',
    ({ where, code }) => {
      // Otherwise its names would be global, and two blocks would get in each other's way.
      expect(code).toMatch(/^(import|export) /m);
      expect(complaints(program, nameOf(where))).toEqual([]);
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
