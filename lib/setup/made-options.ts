import { SseError } from '../channel/sse-error.js';
import { callback, passedOn } from '../sources/options/option-kinds.js';

/** What makes the options of a module in `forRootAsync()`, as Nest has it. */
export const MAKERS = {
  useFactory: callback('what `inject` names'),
  useClass: passedOn<unknown>(),
  useExisting: passedOn<unknown>(),
  inject: passedOn<unknown>(),
  provideInjectionTokensFrom: passedOn<unknown>(),
};

/**
 * Refuses options that nothing makes.
 * @throws SseError `INVALID_OPTION`
 */
export function checkMade(
  by: Readonly<Partial<Record<'useFactory' | 'useClass' | 'useExisting', unknown>>>,
  of: string,
): void {
  if (!by.useFactory && !by.useClass && !by.useExisting) {
    throw new SseError(
      'INVALID_OPTION',
      `${of}there is none of \`useFactory\`, \`useClass\` and \`useExisting\`. Give one that makes the options.`,
    );
  }
}
