import { UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';

/** Lets programs publish that know the token: `Authorization: Bearer <token>`. */
export class PublishTokenGuard implements CanActivate {
  private readonly expected: Buffer;

  constructor(token: string) {
    this.expected = digest(`Bearer ${token}`);
  }

  canActivate(context: ExecutionContext): boolean {
    const { authorization = '' } = context.switchToHttp().getRequest<Request>().headers;
    // Digests have one length, and take one time to compare, however much of a guess is right.
    if (!timingSafeEqual(digest(authorization), this.expected)) {
      throw new UnauthorizedException('Send the header: Authorization: Bearer <token>.');
    }
    return true;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
