import {
  BadRequestException,
  Controller,
  Delete,
  Get,
  HttpCode,
  Post,
  Req,
  Res,
  UseGuards,
} from '@nestjs/common';
import type { Response } from 'express';
import { SseService } from '../../lib/index.js';
import { Content } from '../content.decorator.js';
import { SESSION_COOKIE, SessionGuard, type VisitorRequest } from './session.guard.js';
import { Sessions } from './sessions.js';

const LONGEST_NAME = 40;

/** Logs visitors in and out. They choose a name; in an app of yours they prove who they are. */
@Controller()
export class SessionsController {
  constructor(
    private readonly sse: SseService,
    private readonly sessions: Sessions,
  ) {}

  @Post('session')
  async logIn(@Content() body: unknown, @Res({ passthrough: true }) response: Response) {
    const name = typeof body === 'string' ? body.trim() : '';
    if (name === '' || name.length > LONGEST_NAME || /\p{C}/u.test(name)) {
      throw new BadRequestException(`Send a name of 1 to ${LONGEST_NAME} characters as text.`);
    }
    const cookie = await this.sessions.begin(name);
    response.cookie(SESSION_COOKIE, cookie, { httpOnly: true, sameSite: 'lax' });
    return { name };
  }

  @Get('session')
  @UseGuards(SessionGuard)
  session(@Req() { visitor }: VisitorRequest) {
    return { name: visitor };
  }

  /** Logs the visitor out in all browsers. */
  @Delete('sessions')
  @HttpCode(204)
  @UseGuards(SessionGuard)
  async logOutEverywhere(@Req() { visitor }: VisitorRequest): Promise<void> {
    // First the sessions: the clients return at once, and the guard must refuse them.
    await this.sessions.endAll(visitor);
    await this.sse.disconnect({ client: visitor }, { reason: 'logged out' });
  }
}
