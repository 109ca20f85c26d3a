import vm from 'node:vm';

const { SourceTextModule, compileFunction } = vm;
let installed = false;

/** V8 would not know any more to which module a dynamic import belongs. */
const DYNAMIC_IMPORT = /\bimport\s*\(/;

/**
 * Makes the files of this process share what V8 knows of a text. Each test file has modules of its
 * own: V8 would parse 300 of the library and 50 of Jest again.
 */
export function shareCode() {
  if (installed) return;
  installed = true;

  const modules = new Map();
  vm.SourceTextModule = function (text, options) {
    const cachedData = modules.get(text);
    if (cachedData) {
      try {
        return new SourceTextModule(text, { ...options, cachedData });
      } catch (error) {
        // V8 refuses it after a change of its flags, as for `gc()`.
        if (error.code !== 'ERR_VM_MODULE_CACHED_DATA_REJECTED') throw error;
      }
    }
    const module = new SourceTextModule(text, options);
    if (!DYNAMIC_IMPORT.test(text)) modules.set(text, module.createCachedData());
    return module;
  };
  vm.SourceTextModule.prototype = SourceTextModule.prototype;

  const functions = new Map();
  vm.compileFunction = (text, names, options) => {
    if (DYNAMIC_IMPORT.test(text)) return compileFunction(text, names, options);
    const key = String(names);
    if (!functions.has(key)) functions.set(key, new Map());
    const known = functions.get(key);
    const cachedData = known.get(text);
    const compiled = compileFunction(text, names, {
      ...options,
      ...(cachedData ? { cachedData } : { produceCachedData: true }),
    });
    if (compiled.cachedDataRejected) known.delete(text);
    else if (!cachedData) known.set(text, compiled.cachedData);
    return compiled;
  };
}
