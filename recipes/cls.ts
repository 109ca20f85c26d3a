import { Catch, Controller, Module, NotFoundException, Param, Sse } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import { ClsModule, ClsService, ClsServiceManager } from 'nestjs-cls';
import { SseChannel, SseEvents, SseModule, type SseEvent } from 'nestjs-sse-channels';
import { map, type Observable } from 'rxjs';

@Catch(NotFoundException)
class NotFoundFilter implements ExceptionFilter<NotFoundException> {
  constructor(
    private readonly adapter: HttpAdapterHost,
    private readonly cls: ClsService,
  ) {}

  catch(error: NotFoundException, host: ArgumentsHost): void {
    const answer = { message: error.message, tenant: this.cls.get<string>('tenant') };
    this.adapter.httpAdapter.reply(host.switchToHttp().getResponse<object>(), answer, 404);
  }
}

/** The channel of the request's tenant: a resolver is a function, into which nothing is injected. */
const ofTenant = () => `tenant:${ClsServiceManager.getClsService().get<string>('tenant')}`;

@Controller()
class TenantController {
  constructor(private readonly cls: ClsService) {}

  /** What runs for each event of a stream has the context of the request that opened it. */
  @Sse('events')
  @SseChannel(ofTenant)
  events(@SseEvents() events$: Observable<SseEvent<string>>) {
    return events$.pipe(
      map(({ data }) => ({ data: { text: data, tenant: this.cls.get<string>('tenant') } })),
    );
  }

  @Sse('jobs/:id/events')
  @SseChannel(ofTenant)
  job(@Param('id') id: string) {
    throw new NotFoundException(`There is no job ${id}.`);
  }
}

@Module({
  imports: [
    ClsModule.forRoot({
      global: true,
      middleware: {
        mount: true,
        setup: (cls, request: { headers: { host: string } }) =>
          cls.set('tenant', request.headers.host.split('.')[0]),
      },
    }),
    SseModule.forRoot(),
  ],
  controllers: [TenantController],
  providers: [{ provide: APP_FILTER, useClass: NotFoundFilter }],
})
export class AppModule {}
