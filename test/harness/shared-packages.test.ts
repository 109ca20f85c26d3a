import { runInThisContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { NotFoundException } from '@nestjs/common';
import { EmptyError } from 'rxjs';

class Own extends Error {}

describe('Packages that test files share', () => {
  it('throw errors that are errors in a test file', () => {
    expect(new NotFoundException()).toBeInstanceOf(Error);
    expect(new EmptyError()).toBeInstanceOf(Error);
  });

  it('take the errors of a test file for errors', () => {
    const isError = runInThisContext('Error') as ErrorConstructor;
    expect(new NotFoundException()).toBeInstanceOf(isError);
    expect(new Own()).toBeInstanceOf(isError);
    expect(new Error('x')).toBeInstanceOf(isError);
    expect(thrownBy(() => (undefined as unknown as string).length)).toBeInstanceOf(isError);
  });

  it('leave what the engine throws of its kind', () => {
    expect(thrownBy(() => (undefined as unknown as string).length)).toBeInstanceOf(TypeError);
    expect(thrownBy(() => JSON.parse('{'))).toBeInstanceOf(SyntaxError);
    expect(thrownBy(() => JSON.parse('{'))).not.toBeInstanceOf(TypeError);
    expect(thrownBy(() => 'x'.repeat(-1))).toBeInstanceOf(RangeError);
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
