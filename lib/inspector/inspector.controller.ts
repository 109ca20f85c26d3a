import {
  Controller,
  Get,
  Inject,
  NotFoundException,
  Req,
  Res,
  Sse,
  UseGuards,
  type Type,
} from '@nestjs/common';
import type { FrameworkRequest } from '../endpoint/framework-request.js';
import { SseChannel } from '../endpoint/sse-channel.decorator.js';
import { guardsToUse } from '../setup/guarded-route.js';
import type { FrameworkResponse } from './inspector-answer.js';
import { answerAsset, answerJson, answerPage } from './inspector-answer.js';
import { Inspector } from './inspector.js';
import type { SseInspectorRoute } from './inspector.options.js';
import { assetOf, pageFor } from './page-files.js';

/** Whoever looks counts by address: the application's `client` is for its own endpoints. */
const STREAM = { client: () => undefined };

/**
 * The controller of one page. It writes its answers by itself: pipes and interceptors of the application do not
 * change them.
 */
export function inspectorController({
  guards,
  path = 'inspector',
  version,
}: SseInspectorRoute): Type {
  @UseGuards(...guardsToUse(guards))
  @Controller({ path, ...(version !== undefined && { version }) })
  class SseInspectorController {
    constructor(@Inject(Inspector) private readonly inspector: Inspector) {}

    @Get(['', 'index.html'])
    page(@Req() request: FrameworkRequest, @Res() response: FrameworkResponse): void {
      answerPage(response, pageFor(addressOf(request)));
    }

    @Get('assets/:file')
    asset(@Req() request: FrameworkRequest, @Res() response: FrameworkResponse): void {
      const file = assetOf(request.params?.['file'] ?? '');
      if (!file) {
        throw new NotFoundException();
      }
      answerAsset(request, response, file);
    }

    @Sse('live')
    @SseChannel(undefined, STREAM)
    live() {
      return this.inspector.overviews();
    }

    @Get('channels')
    channels(@Req() request: FrameworkRequest, @Res() response: FrameworkResponse): Promise<void> {
      return answerJson(response, () => this.inspector.channels(request));
    }

    @Get('connections')
    connections(
      @Req() request: FrameworkRequest,
      @Res() response: FrameworkResponse,
    ): Promise<void> {
      return answerJson(response, () => this.inspector.connections(request));
    }
  }
  return SseInspectorController;
}

/** The path that the browser has asked for. Frameworks may cut it where they mount an application. */
function addressOf({ url = '', originalUrl = url }: FrameworkRequest & { originalUrl?: string }) {
  return originalUrl;
}
