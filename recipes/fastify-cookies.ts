import { Controller, Injectable, Module, Res, Sse, UseGuards } from '@nestjs/common';
import { UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import fastifyCookie from '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SseChannel, SseModule } from 'nestjs-sse-channels';

type UserRequest = FastifyRequest & { user?: string | null };

@Injectable()
class SessionGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<UserRequest>();
    const { valid, value } = request.unsignCookie(request.cookies['session'] ?? '');
    if (!valid) throw new UnauthorizedException();
    request.user = value;
    return true;
  }
}

@Controller('me')
@UseGuards(SessionGuard)
class MeController {
  /** Each opening says that the user is still there, so the session goes on. */
  @Sse('events')
  @SseChannel((request: UserRequest) => `user:${request.user}`)
  events(@Res({ passthrough: true }) reply: FastifyReply) {
    const { user } = reply.request as UserRequest;
    reply.setCookie('session', user!, { signed: true, httpOnly: true, sameSite: 'lax', path: '/' });
  }
}

@Module({ imports: [SseModule.forRoot()], controllers: [MeController] })
class AppModule {}

export async function createApp(secret: string): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter());
  await app.register(fastifyCookie, { secret });
  return app;
}
