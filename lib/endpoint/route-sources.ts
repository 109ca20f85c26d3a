import type { ModuleRef } from '@nestjs/core';
import { UnknownElementException } from '@nestjs/core/errors/exceptions/unknown-element.exception.js';
import type { ChannelSource } from '../channel/source.js';
import { SseError } from '../channel/sse-error.js';
import type { ProviderToken, SourceOption } from '../setup/channel-options.js';
import type { SseSources } from '../setup/sse-sources.js';
import type { Route } from './route.js';

/** Finds the sources of routes. */
export class RouteSources {
  private readonly sourceOf = new WeakMap<Route, ChannelSource>();

  constructor(
    private readonly sources: SseSources,
    private readonly moduleRef: ModuleRef,
  ) {}

  /**
   * The source of a route's channels; the same for every request.
   * @throws SseError `INVALID_OPTION`, `NOT_CONFIGURED`
   */
  of(route: Route): ChannelSource {
    let source = this.sourceOf.get(route);
    if (!source) {
      const { source: option } = route.options;
      const given = isToken(option) ? this.provided(option) : option;
      const options = { ...route.options, ...(given && { source: given }) };
      source = this.sources.sourceFor(options, route.definition);
      this.sourceOf.set(route, source);
    }
    return source;
  }

  private provided(token: ProviderToken): ChannelSource {
    try {
      return this.moduleRef.get<ChannelSource>(token, { strict: false });
    } catch (cause) {
      const name = typeof token === 'symbol' ? String(token) : `the class ${token.name}`;
      throw new SseError(
        'INVALID_OPTION',
        cause instanceof UnknownElementException
          ? `\`source\` is ${name}, which no module provides. Add it to the providers of a module, or give an object.`
          : `\`source\` is ${name}, which is not one object for all requests. Provide it with the default scope.`,
        { cause },
      );
    }
  }
}

function isToken(source: SourceOption | undefined): source is ProviderToken {
  return typeof source === 'function' || typeof source === 'symbol';
}
