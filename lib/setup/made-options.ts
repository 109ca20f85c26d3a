import type { DynamicModule, FactoryProvider, Provider } from '@nestjs/common';
import { SseError } from '../channel/sse-error.js';
import { callback, passedOn } from '../sources/options/option-kinds.js';

type Makers = Readonly<Partial<Record<'useFactory' | 'useClass' | 'useExisting', unknown>>>;

/** What makes the options of a module in `forRootAsync()`, as Nest has it. */
export const MAKERS = {
  useFactory: callback('what `inject` names'),
  useClass: passedOn<unknown>(),
  useExisting: passedOn<unknown>(),
  inject: passedOn<unknown>(),
  provideInjectionTokensFrom: passedOn<unknown>(),
};

/**
 * Refuses options that nothing makes, and a second maker: Nest would ask one of them, and pass the other over in silence.
 * @throws SseError `INVALID_OPTION`
 */
export function checkMade(by: Makers, of: string): void {
  const given = (['useFactory', 'useClass', 'useExisting'] as const).filter((name) => by[name]);
  if (given.length === 0) {
    throw new SseError(
      'INVALID_OPTION',
      `${of}there is none of \`useFactory\`, \`useClass\` and \`useExisting\`. Give one that makes the options.`,
    );
  }
  if (given.length > 1) {
    throw new SseError(
      'INVALID_OPTION',
      `${of}there are \`${given.join('` and `')}\`. Give one that makes the options.`,
    );
  }
}

/**
 * The module, with an error of ours where the object of `useClass` or `useExisting` has no method that makes the options:
 * that of Nest names neither.
 *
 * @param token that of the module's options
 */
export function withMaker(
  module: DynamicModule,
  by: Makers,
  token: string | symbol,
  method: string,
  of: string,
): DynamicModule {
  if (by.useFactory) {
    return module;
  }
  return {
    ...module,
    providers: (module.providers ?? []).map((provider) =>
      isFactory(provider, token)
        ? { ...provider, useFactory: checkedMaker(provider.useFactory, method, of) }
        : provider,
    ),
  };
}

function isFactory(provider: Provider, token: string | symbol): provider is FactoryProvider {
  return typeof provider === 'object' && provider.provide === token && 'useFactory' in provider;
}

function checkedMaker(
  make: FactoryProvider['useFactory'],
  method: string,
  of: string,
): FactoryProvider['useFactory'] {
  return (maker: Record<string, unknown> | null | undefined) => {
    if (typeof maker?.[method] !== 'function') {
      throw new SseError(
        'INVALID_OPTION',
        `${of}${maker?.constructor?.name ?? 'the provider'} has no method ${method}(). Add it: it returns the options, or a promise of them.`,
      );
    }
    return make(maker) as unknown;
  };
}
