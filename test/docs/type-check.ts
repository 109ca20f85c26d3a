import { join } from 'node:path';
import ts from 'typescript';
import { projectRoot } from '../support/project-root.js';

/** The compiler's options: the repository's own, without those for unused names. */
function options(): ts.CompilerOptions {
  const path = join(projectRoot, 'tsconfig.json');
  const { config } = ts.readConfigFile(path, (file) => ts.sys.readFile(file)) as { config: object };
  return {
    ...ts.parseJsonConfigFileContent(config, ts.sys, projectRoot).options,
    noUnusedLocals: false,
    noUnusedParameters: false,
    jsx: ts.JsxEmit.ReactJSX,
    paths: {
      'nestjs-sse-channels': [join(projectRoot, 'lib/index.ts')],
      'nestjs-sse-channels/channel': [join(projectRoot, 'lib/typed/index.ts')],
      'nestjs-sse-channels/swagger': [join(projectRoot, 'lib/swagger/index.ts')],
      'nestjs-sse-channels/terminus': [join(projectRoot, 'lib/terminus/index.ts')],
      'nestjs-sse-channels/opentelemetry': [join(projectRoot, 'lib/opentelemetry/index.ts')],
      'nestjs-sse-channels/publish': [join(projectRoot, 'lib/publish/index.ts')],
      'nestjs-sse-channels/inspector': [join(projectRoot, 'lib/inspector/index.ts')],
      'nestjs-sse-channels/client': [join(projectRoot, 'lib/client/index.ts')],
      'nestjs-sse-channels/react': [join(projectRoot, 'lib/react/index.ts')],
      'nestjs-sse-channels/testing': [join(projectRoot, 'lib/testing/index.ts')],
    },
  };
}

/** A program of these texts, each a module of its own that imports the package as users do. */
export function programOf(texts: ReadonlyMap<string, string>): ts.Program {
  const compilerOptions = options();
  const host = ts.createCompilerHost(compilerOptions);
  const files = new Map(
    [...texts].map(([name, text]) => [join(projectRoot, 'test/docs', name), text]),
  );
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => files.has(path) || fileExists.call(host, path);
  host.readFile = (path) => files.get(path) ?? readFile.call(host, path);
  host.getSourceFile = (path, version, ...rest) => {
    const text = files.get(path);
    return text === undefined
      ? getSourceFile.call(host, path, version, ...rest)
      : ts.createSourceFile(path, text, version);
  };
  return ts.createProgram([...files.keys()], compilerOptions, host);
}

/** What the compiler says of one of the texts, with line numbers of the text. */
export function complaints(program: ts.Program, name: string): string[] {
  const file = program.getSourceFile(join(projectRoot, 'test/docs', name))!;
  return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
    ({ start = 0, messageText }) => {
      const { line } = file.getLineAndCharacterOfPosition(start);
      return `line ${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    },
  );
}

/** A text for {@link programOf} that declares a value of each of these types of the package. */
export function valuesOf(types: readonly string[]): string {
  const values = types.map((type) => `export declare const ${type}: api.${type};`);
  return [`import type * as api from 'nestjs-sse-channels';`, ...values].join('\n');
}

const HIDDEN = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;

/** The names of the public properties of what one of the texts exports. */
export function propertiesOf(program: ts.Program, name: string): Map<string, string[]> {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(join(projectRoot, 'test/docs', name))!;
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(file)!);
  return new Map(
    exported.map((symbol) => [
      symbol.name,
      checker
        .getTypeOfSymbol(symbol)
        .getProperties()
        .filter(
          ({ valueDeclaration: declared }) =>
            !declared || !(ts.getCombinedModifierFlags(declared) & HIDDEN),
        )
        .map((property) => property.name),
    ]),
  );
}
