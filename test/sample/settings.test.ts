import { describe, expect, it } from '@jest/globals';
import { StartError, maskUrl, readSettings } from '../../sample/settings.js';

describe('A URL that the sample prints', () => {
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
  ])('%s appears as %s', (url, shown) => {
    expect(maskUrl(url)).toBe(shown);
  });
});

describe('The variables of the sample', () => {
  it.each([
    [{ PORT: 'http' }, 'PORT is "http"'],
    [{ PORT: '65536' }, 'PORT is "65536"'],
    [{ REDIS_URL: 'localhost:6379' }, 'REDIS_URL is not a URL'],
    [{ DATABASE_URL: 'mysql://a:secret@localhost/b' }, 'DATABASE_URL is not a URL'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'secret:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT is not a URL'],
  ])('cause an error without a secret when they are wrong: %j', (variables, message) => {
    const read = () => readSettings(variables);
    expect(read).toThrow(StartError);
    expect(read).toThrow(message);
    expect(read).not.toThrow('secret');
  });
});
