import {
  applyDecorators,
  Controller,
  Get,
  Header,
  HttpCode,
  HttpStatus,
  Inject,
  NotFoundException,
  Post,
  Req,
  Res,
  Sse,
  UseGuards,
  type Type,
} from '@nestjs/common';
import type { FrameworkRequest } from '../endpoint/framework-request.js';
import { makeBare } from '../endpoint/route.js';
import { SseChannel } from '../endpoint/sse-channel.decorator.js';
import { guardsToUse } from '../setup/guarded-route.js';
import type { FrameworkResponse } from './inspector-answer.js';
import { answerAsset, answerJson, answerPage, HEADERS } from './inspector-answer.js';
import { Inspector } from './inspector.js';
import type { SseInspectorRoute } from './inspector.options.js';
import { assetOf, pageFor } from './page-files.js';

/** Whoever looks counts by address: the application's `client` is for its own endpoints. */
const STREAM = { client: () => undefined };

/** Streams have the headers of the other answers. */
const WithHeaders = applyDecorators(...HEADERS.map(([name, value]) => Header(name, value)));

/** What `@ApiExcludeController()` of `@nestjs/swagger` sets: the routes are of use to the page alone. */
const NOT_IN_OPEN_API = 'swagger/apiExcludeController';

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
    @WithHeaders
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

    @Get('history')
    history(@Req() request: FrameworkRequest, @Res() response: FrameworkResponse): Promise<void> {
      return answerJson(response, () => this.inspector.history(request));
    }

    @Sse('follow')
    @WithHeaders
    @SseChannel(undefined, STREAM)
    follow(@Req() request: FrameworkRequest) {
      return this.inspector.follow(request);
    }

    @Post('send')
    @HttpCode(HttpStatus.OK)
    send(@Req() request: FrameworkRequest, @Res() response: FrameworkResponse): Promise<void> {
      return answerJson(response, () => this.inspector.send(request));
    }
  }
  makeBare(SseInspectorController.prototype.live);
  makeBare(SseInspectorController.prototype.follow);
  Reflect.defineMetadata(NOT_IN_OPEN_API, [true], SseInspectorController);
  return SseInspectorController;
}

/** The path that the browser has asked for. Frameworks may cut it where they mount an application. */
function addressOf({ url = '', originalUrl = url }: FrameworkRequest & { originalUrl?: string }) {
  return originalUrl;
}
