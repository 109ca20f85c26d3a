import { readFileSync } from 'node:fs';

/** The certificate of the tests, which are beside the compiled benchmarks. */
const read = (name: string): Buffer =>
  readFileSync(new URL(`../../../test/support/tls/${name}`, import.meta.url));

export const TLS = { key: read('key.pem'), cert: read('cert.pem') };
