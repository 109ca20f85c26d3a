import asyncHooks, { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire } from 'node:module';
import { shareCode } from './code-cache.mjs';

// Jest's runner, without the price of its AsyncLocalStorage. Jest makes one for each test file, to
// know the test that an error belongs to. Up to Node 22, every promise of the process passes on
// the value of every storage that was ever used, and Jest's are never disabled: in a process that
// had run 60 test files, a promise took 100 times as long.

const require = createRequire(createRequire(import.meta.url).resolve('jest'));
const { default: runFile } = require('jest-circus/runner');

/** Knows the test or hook that runs. It takes one at a time, so no test may be `concurrent`. */
class Running {
  #store;

  getStore() {
    return this.#store;
  }

  async run(store, work) {
    const former = this.#store;
    this.#store = store;
    try {
      return await work();
    } finally {
      this.#store = former;
    }
  }
}

/** The storages that the tests of the file have used. */
const used = new Set();
for (const name of ['run', 'enterWith']) {
  const method = AsyncLocalStorage.prototype[name];
  AsyncLocalStorage.prototype[name] = function (...args) {
    used.add(this);
    return method.apply(this, args);
  };
}

export default async function run(globalConfig, ...args) {
  // Code that is compiled for coverage counts, other code does not.
  if (!globalConfig.collectCoverage) shareCode();
  try {
    return await withoutStorage(() => runFile(globalConfig, ...args));
  } finally {
    for (const storage of used) storage.disable();
    used.clear();
  }
}

/** Jest loads its module with the storage before it awaits anything. */
function withoutStorage(start) {
  // A value in Node 20, a getter since 22.
  const storage = Object.getOwnPropertyDescriptor(asyncHooks, 'AsyncLocalStorage');
  Object.defineProperty(asyncHooks, 'AsyncLocalStorage', { configurable: true, value: Running });
  try {
    return start();
  } finally {
    Object.defineProperty(asyncHooks, 'AsyncLocalStorage', storage);
  }
}
