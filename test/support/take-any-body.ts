import type { INestApplication } from '@nestjs/common';

interface FastifyInstance {
  addContentTypeParser(
    type: string,
    parse: (request: unknown, body: unknown, done: (error: null) => void) => void,
  ): void;
}

/** Has Fastify leave a body of bytes alone, as Express does: it would refuse the request. */
export function takeAnyBody(app: INestApplication): void {
  const instance = app.getHttpAdapter().getInstance() as Partial<FastifyInstance>;
  instance.addContentTypeParser?.('application/octet-stream', (_request, _body, done) =>
    done(null),
  );
}
