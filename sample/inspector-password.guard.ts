import { UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';

/** Lets those look who know the password, which a browser asks for by itself: whatever their name is. */
export class InspectorPasswordGuard implements CanActivate {
  private readonly expected: Buffer;

  constructor(password: string) {
    this.expected = digest(password);
  }

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const { authorization = '' } = http.getRequest<Request>().headers;
    const [, credentials = ''] = /^basic +(\S+)$/i.exec(authorization) ?? [];
    const [, password = ''] = /:(.*)$/s.exec(Buffer.from(credentials, 'base64').toString()) ?? [];
    // Digests have one length, and take one time to compare, however much of a guess is right.
    if (!timingSafeEqual(digest(password), this.expected)) {
      http.getResponse<Response>().header('WWW-Authenticate', 'Basic realm="inspector"');
      throw new UnauthorizedException('Give the password of the inspector.');
    }
    return true;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
