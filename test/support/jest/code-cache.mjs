import vm from 'node:vm';

const { SourceTextModule, compileFunction } = vm;
let installed = false;

/**
 * Makes the files of this process share what V8 knows of a text. Each test file has modules of its
 * own: V8 would parse 300 of the library and 50 of Jest again.
 */
export function shareCode() {
  if (installed) return;
  installed = true;

  const modules = new Map();
  vm.SourceTextModule = class extends SourceTextModule {
    constructor(text, options) {
      const cachedData = modules.get(text);
      super(text, { ...options, ...(cachedData && { cachedData }) });
      if (!cachedData) modules.set(text, this.createCachedData());
    }
  };

  const functions = new Map();
  vm.compileFunction = (text, names, options) => {
    const key = String(names);
    if (!functions.has(key)) functions.set(key, new Map());
    const known = functions.get(key);
    const cachedData = known.get(text);
    const compiled = compileFunction(text, names, {
      ...options,
      ...(cachedData ? { cachedData } : { produceCachedData: true }),
    });
    if (!cachedData) known.set(text, compiled.cachedData);
    return compiled;
  };
}
