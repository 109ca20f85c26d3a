import type { ModuleRef } from '@nestjs/core';
import { UnknownElementException } from '@nestjs/core/errors/exceptions/unknown-element.exception.js';
import type { ChannelSource } from '../channel/source.js';
import { SseError } from '../channel/sse-error.js';
import type { ProviderToken, SourceOption } from '../setup/channel-options.js';
import type { SseSources } from '../setup/sse-sources.js';
import type { Requestable } from '../setup/requested-channels-options.js';
import { requestedBy } from './requested-channels.js';
import type { Route } from './route.js';

/** Finds the sources of routes. */
export class RouteSources {
  private readonly sourcesOf = new WeakMap<Route, Map<Requestable | undefined, ChannelSource>>();

  constructor(
    private readonly sources: SseSources,
    private readonly moduleRef: ModuleRef,
  ) {}

  /**
   * The source of a route's channel; the same for every request.
   * @throws SseError `INVALID_OPTION`, `NOT_CONFIGURED`
   */
  of(route: Route, name: string): ChannelSource {
    return this.ofEntry(route, requestedBy(route.channels)?.entryOf(name));
  }

  /**
   * All sources of a route's channels.
   * @throws SseError `INVALID_OPTION`, `NOT_CONFIGURED`
   */
  allOf(route: Route): readonly ChannelSource[] {
    const entries = requestedBy(route.channels)?.only ?? [undefined];
    return entries.map((entry) => this.ofEntry(route, entry));
  }

  /** @param entry which channels, where requests name them */
  private ofEntry(route: Route, entry: Requestable | undefined): ChannelSource {
    let known = this.sourcesOf.get(route);
    if (!known) {
      this.sourcesOf.set(route, (known = new Map()));
    }
    let source = known.get(entry);
    if (!source) {
      known.set(entry, (source = this.open(route, entry)));
    }
    return source;
  }

  private open(route: Route, entry: Requestable | undefined): ChannelSource {
    // The options of the endpoint are for the source of the endpoint.
    const own =
      entry?.options.source === undefined ? { ...route.options, ...entry?.options } : entry.options;
    const given = isToken(own.source) ? this.provided(own.source) : own.source;
    return this.sources.sourceFor(
      { ...own, ...(given && { source: given }) },
      entry?.definition ?? route.definition,
    );
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
