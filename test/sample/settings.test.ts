import { describe, expect, it } from '@jest/globals';
import { maskUrl } from '../../sample/settings.js';

describe('a URL that the sample shows', () => {
  it.each([
    ['redis://localhost:6379/1', 'redis://localhost:6379/1'],
    ['redis://me:secret@host/1', 'redis://me:****@host/1'],
    // Without a colon it may be the password, as many write it.
    ['redis://secret@host:6379', 'redis://****@host:6379'],
    ['redis://secret:@host', 'redis://****@host'],
    ['redis://:secret@host', 'redis://:****@host'],
    ['postgres://secret@host/db', 'postgres://****@host/db'],
    ['postgres://host/db?sslmode=require', 'postgres://host/db?sslmode=require'],
    ['postgres://host/db?user=me&password=secret', 'postgres://host/db?user=****&password=****'],
    ['redis://host?PWD=secret&auth=secret', 'redis://host?PWD=****&auth=****'],
    ['redis://host?secret', 'redis://host?****'],
    // A # / or ? of the password ends the part of the host: none of the rest is what it seems.
    ['postgres://user:1#secret@host/db', 'postgres://****'],
    ['postgres://secret/secret@host/db', 'postgres://****'],
    ['postgres://secret?secret@host/db', 'postgres://****'],
    ['redis://host#secret', 'redis://host#****'],
  ])('%s is shown as %s', (url, shown) => {
    expect(maskUrl(url)).toBe(shown);
  });
});
