import { afterAll, afterEach, beforeAll, describe, it } from '@jest/globals';
import { testRunStore } from '../../lib/testing/index.js';
import { STORES, type StoreSubject } from './store-subjects.js';

describe.each(Object.keys(STORES))('The store of runs by %s keeps the contract: it', (name) => {
  let subject: StoreSubject;

  beforeAll(async () => void (subject = await STORES[name]!()));
  afterEach(() => subject.closeAll());
  afterAll(() => subject.stop());

  for (const { name: title, run } of testRunStore({ store: () => subject.open() })) {
    it(title, run);
  }
});
