import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// Jest runs each test file in a realm of its own, into which it would load all packages anew: half
// a second of a processor for Nest, its HTTP frameworks and RxJS, and code that is never warm. In
// place of such a package a file gets a module that hands out what the process has loaded once.

/** Node's `require()` outside of the file's realm. It takes ES modules too. */
const LOAD = `runInThisContext(
  '(path) => process.getBuiltinModule("node:module").createRequire(path)(path)',
)`;
const TEXT = readFileSync(import.meta.filename);

export default {
  process(_source, path, { supportsStaticESM }) {
    const file = JSON.stringify(path);
    if (!supportsStaticESM) {
      const code = `const { runInThisContext } = require('node:vm');
        module.exports = ${LOAD}(${file});`;
      return { code };
    }
    const code = `import { runInThisContext } from 'node:vm';
      const all = ${LOAD}(${file});
      export default all.default;
      ${namesOf(path)
        .map((name) => `export const ${name} = all.${name};`)
        .join('\n')}`;
    return { code };
  },

  getCacheKey(_source, path, { supportsStaticESM }) {
    const names = supportsStaticESM ? namesOf(path) : [];
    return createHash('sha1')
      .update(TEXT)
      .update(JSON.stringify([path, names]))
      .digest('hex');
  },
};

function namesOf(path) {
  return Object.keys(createRequire(path)(path)).filter((name) => name !== 'default');
}
