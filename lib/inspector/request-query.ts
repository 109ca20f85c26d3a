import { HttpException, HttpStatus } from '@nestjs/common';
import { shown } from '../channel/shown.js';
import type { SseErrorCode } from '../channel/sse-error.js';
import type { FrameworkRequest } from '../endpoint/framework-request.js';

/** The most characters of a text that a request may give. */
const MAX_TEXT = 1_024;

/** The parameters of a request. They are read from its address, as frameworks have parsers of their own. */
export class RequestQuery {
  private readonly params: URLSearchParams;

  constructor({ url = '' }: Pick<FrameworkRequest, 'url'>) {
    const at = url.indexOf('?');
    this.params = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  }

  /** A text; `undefined` without one, or for an empty one. @throws HttpException 400 */
  text(name: string): string | undefined {
    const [value, second] = this.params.getAll(name);
    if (second !== undefined) {
      throw refused(name, 'is given twice', 'Give it once.');
    }
    if (value !== undefined && value.length > MAX_TEXT) {
      throw refused(
        name,
        `has ${value.length} characters`,
        `Give at most ${MAX_TEXT.toLocaleString('en')}.`,
      );
    }
    return value === '' ? undefined : value;
  }

  /** @throws HttpException 400, also without one */
  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) {
      throw refused(name, 'is missing', 'Give it.');
    }
    return value;
  }

  /** A whole number. @throws HttpException 400 */
  whole(name: string, byDefault: number, from: number, to: number): number {
    const text = this.text(name) ?? String(byDefault);
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (!(value >= from && value <= to)) {
      throw refused(name, `is ${shown(text)}`, `Give a whole number from ${from} to ${to}.`);
    }
    return value;
  }

  /** One of some words, the first without any. @throws HttpException 400 */
  word<const Word extends string>(name: string, words: readonly [Word, ...Word[]]): Word {
    const text = this.text(name) ?? words[0];
    const word = words.find((each) => each === text);
    if (word === undefined) {
      throw refused(name, `is ${shown(text)}`, `Give one of these: ${words.join(', ')}.`);
    }
    return word;
  }
}

function refused(name: string, fault: string, remedy: string): HttpException {
  return answer(
    HttpStatus.BAD_REQUEST,
    'INVALID_OPTION',
    `The parameter \`${name}\` ${fault}. ${remedy}`,
  );
}

/** What answers a request that is not served, as JSON. */
export function answer(statusCode: HttpStatus, code: SseErrorCode, message: string): HttpException {
  return new HttpException({ statusCode, code, message }, statusCode);
}
