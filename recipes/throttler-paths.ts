import { Controller, Get, Module, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { seconds, ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { SseModule } from 'nestjs-sse-channels';
import { SseInspectorModule } from 'nestjs-sse-channels/inspector';
import { SsePublishModule } from 'nestjs-sse-channels/publish';

/** What a request says, on Express and on Fastify. */
interface AppRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

const requestOf = (context: ExecutionContext) => context.switchToHttp().getRequest<AppRequest>();

/** The routes of the modules. With a global prefix, a version or another `path`, it stands here as well. */
const MODULES = /^\/(inspector|publish)([/?]|$)/;

/** Lets in who has the token. */
class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const token = process.env['TOKEN'] ?? '';
    return token !== '' && requestOf(context).headers['authorization'] === `Bearer ${token}`;
  }
}

@Controller('jobs')
class JobsController {
  @Get()
  jobs() {
    return [];
  }
}

@Module({
  imports: [
    ThrottlerModule.forRoot({
      throttlers: [{ ttl: seconds(60), limit: 20 }],
      skipIf: (context) => MODULES.test(requestOf(context).url),
    }),
    SseModule.forRoot(),
    SseInspectorModule.forRoot({ guards: [TokenGuard] }),
    SsePublishModule.forRoot({ guards: [TokenGuard] }),
  ],
  controllers: [JobsController],
  providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
})
export class AppModule {}
