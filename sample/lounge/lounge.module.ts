import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { LoungeController } from './lounge.controller.js';
import { Sessions } from './sessions.js';
import { SessionsController } from './sessions.controller.js';

@Module({})
export class LoungeModule {
  static register(sessions: Sessions): DynamicModule {
    return {
      module: LoungeModule,
      controllers: [LoungeController, SessionsController],
      providers: [{ provide: Sessions, useValue: sessions }],
    };
  }
}
