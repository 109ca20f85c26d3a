import { Controller, Module, Sse } from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { channelName, SseChannel, SseModule } from 'nestjs-sse-channels';
import { equal, rejects } from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { AppModule } from './router-module.js';
import { ADAPTERS, closeAll, createApp, listen, start } from './support/start.js';

@Controller()
class WrongController {
  @Sse('events')
  @SseChannel('tenant:{client}')
  events() {}
}

@Module({ controllers: [WrongController] })
class InnerModule {}

@Module({
  imports: [
    SseModule.forRoot(),
    InnerModule,
    RouterModule.register([{ path: 'tenants/:tenant', module: InnerModule }]),
  ],
})
class WrongModule {}

describe('RouterModule', () => {
  afterEach(closeAll);

  for (const adapter of ADAPTERS) {
    it(`names channels by the parameters of a module's path, on ${adapter}`, async () => {
      const { connect, sse } = await start(AppModule, adapter);
      const red = await connect('/tenants/red/orders/events');
      const blue = await connect('/tenants/a%2Fb/orders/events');
      await sse.send(channelName('tenant:{tenant}:orders', { tenant: 'a/b' }), 'for a/b');
      await sse.send('tenant:red:orders', 'for red');
      equal((await red.next()).data, 'for red');
      equal((await blue.next()).data, 'for a/b');
      equal((await connect('/orders/events')).opened.status, 404);
    });

    it(`does so below a prefix of the whole application, on ${adapter}`, async () => {
      const app = await createApp(AppModule, adapter);
      app.setGlobalPrefix('api/:region');
      const { connect, sse } = await listen(app);
      const red = await connect('/api/eu/tenants/red/orders/events');
      await sse.send('tenant:red:orders', 'for red');
      equal((await red.next()).data, 'for red');
    });

    it(`keeps the application from starting without the parameter, on ${adapter}`, async () => {
      const app = await createApp(WrongModule, adapter);
      await rejects(app.init(), /the route's path has no parameter :client\. It has: tenant\./);
      await app.close();
    });
  }
});
