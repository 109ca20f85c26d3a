import { HttpStatus } from '@nestjs/common';
import type { FrameworkRequest } from '../endpoint/framework-request.js';
import { INSTANCE } from './instance-numbers.js';
import type { PageFile } from './page-files.js';

/** A response of Express, or a reply of Fastify. */
export interface FrameworkResponse {
  status(code: number): unknown;
  header(name: string, value: string): unknown;
  send(body: string): unknown;
}

/** What every answer says to a browser: nothing from elsewhere may run here, and nobody may frame it. */
export const HEADERS: readonly (readonly [name: string, value: string])[] = [
  [
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
];

export function answerPage(response: FrameworkResponse, html: string): void {
  setHeaders(response, 'no-store');
  response.header('Content-Type', 'text/html; charset=utf-8');
  response.send(html);
}

/** Answers with a script or style, unless the browser has it. */
export function answerAsset(
  { headers }: FrameworkRequest,
  response: FrameworkResponse,
  { text, type, etag }: PageFile,
): void {
  setHeaders(response, 'private, no-cache');
  response.header('ETag', etag);
  if (headers['if-none-match']?.includes(etag) === true) {
    response.status(HttpStatus.NOT_MODIFIED);
    response.send('');
    return;
  }
  response.header('Content-Type', type);
  response.send(text);
}

/** Answers with JSON. @throws whatever `make` throws */
export async function answerJson(
  response: FrameworkResponse,
  make: () => object | Promise<object>,
): Promise<void> {
  // Before anything is thrown: errors are answers as well.
  setHeaders(response, 'no-store');
  const body = await make();
  response.header('Content-Type', 'application/json; charset=utf-8');
  response.send(JSON.stringify({ ...body, instance: INSTANCE }));
}

function setHeaders(response: FrameworkResponse, caching: string): void {
  for (const [name, value] of HEADERS) {
    response.header(name, value);
  }
  response.header('Cache-Control', caching);
}
