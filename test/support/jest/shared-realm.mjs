// Runs before each test file. Packages that the files share (shared-package.mjs) belong to the
// process's realm: their errors have to be errors in the file, and the file's errors in them.
import { runInThisContext } from 'node:vm';
import 'reflect-metadata';

const outside = runInThisContext('globalThis');

for (const name of Object.getOwnPropertyNames(outside).filter((each) => each.endsWith('Error'))) {
  // What the engine throws in the file is of the file's realm, whatever the file calls by the name.
  Object.setPrototypeOf(globalThis[name].prototype, outside[name].prototype);
  globalThis[name] = outside[name];
}
// Decorators write to these methods, and Nest reads from them.
for (const [name, method] of Object.entries(Object.getOwnPropertyDescriptors(outside.Reflect))) {
  if (!(name in Reflect)) Object.defineProperty(Reflect, name, method);
}
