import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { AnswersController } from './answers.controller.js';
import { ANSWER_PACE } from './tokens.js';

@Module({})
export class AnswersModule {
  /** @param pace how long the generator thinks about each word, in milliseconds */
  static register(pace = 50): DynamicModule {
    return {
      module: AnswersModule,
      controllers: [AnswersController],
      providers: [{ provide: ANSWER_PACE, useValue: pace }],
    };
  }
}
