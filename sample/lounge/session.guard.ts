import { Injectable, UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { Sessions } from './sessions.js';

export const SESSION_COOKIE = 'lounge';

/** A request that the guard has let in. */
export interface VisitorRequest extends Request {
  visitor: string;
}

/** Lets in who is logged in, and tells the handlers who it is. */
@Injectable()
export class SessionGuard implements CanActivate {
  constructor(private readonly sessions: Sessions) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<VisitorRequest>();
    const cookie = new RegExp(`(?:^|; )${SESSION_COOKIE}=([^;]+)`).exec(
      request.headers.cookie ?? '',
    )?.[1];
    const visitor = cookie && (await this.sessions.visitorOf(cookie));
    // EventSource takes this status as final: the page shows its form.
    if (!visitor) throw new UnauthorizedException('Log in first.');
    request.visitor = visitor;
    return true;
  }
}
