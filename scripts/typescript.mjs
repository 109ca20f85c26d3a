// Lets Node run the TypeScript of this repository as it is, decorators included:
//   node --import ./scripts/typescript.mjs sample/main.ts
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
process.setSourceMapsEnabled(true);
