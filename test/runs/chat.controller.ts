import {
  Body,
  Controller,
  Delete,
  HttpCode,
  HttpException,
  Param,
  RequestMethod,
  Sse,
} from '@nestjs/common';
import { generateId, streamText, type UIMessage } from 'ai';
import { channelName, SseChannel, SseService, type RunSource } from '../../lib/index.js';
import { TokenModel } from './token-model.js';

const CHAT = 'chat:{id}';
/** What no client may see. */
export const MODEL_ERROR = 'The key sk-123 is not valid.';

/** The messages of the chat, as the application would store them once the answer is there. */
export const stored: { current: UIMessage[] } = { current: [] };
const QUESTION: UIMessage = { id: 'q', role: 'user', parts: [{ type: 'text', text: 'Talk.' }] };

/** What generates the next answers. */
export const models = { current: new TokenModel() };

/** What the application gives to `run()`. */
const GIVEN = {
  chunks: (signal) => generate(signal).toUIMessageStream(),
  stored: (signal) =>
    generate(signal).toUIMessageStream({
      originalMessages: [QUESTION],
      generateMessageId: generateId,
      onFinish: ({ messages }) => void (stored.current = messages),
    }),
  textResponse: (signal) => generate(signal).toTextStreamResponse(),
  response: (signal) => generate(signal).toUIMessageStreamResponse(),
  text: (signal) => generate(signal).textStream,
  overloaded: () => {
    throw new HttpException('The model is overloaded.', 529);
  },
  async *broken(signal) {
    for await (const chunk of generate(signal).toUIMessageStream()) {
      yield chunk;
      if (chunk.type === 'text-delta') {
        throw new Error(MODEL_ERROR);
      }
    }
  },
} satisfies Record<string, (signal: AbortSignal) => ReturnType<Extract<RunSource, Function>>>;

export type Given = keyof typeof GIVEN;

function generate(abortSignal: AbortSignal) {
  return streamText({
    model: models.current.model,
    prompt: 'Talk.',
    abortSignal,
    onError: () => undefined,
  });
}

/** A chat as the AI SDK's own transport expects it, with answers that are runs. */
@Controller('api/chat')
export class ChatController {
  constructor(private readonly sse: SseService) {}

  @Sse('', { method: RequestMethod.POST })
  @SseChannel()
  async ask(@Body() { id, given = 'chunks' }: { id: string; given?: Given }) {
    const run = await this.sse.run(channelName(CHAT, { id }), GIVEN[given], { format: 'ai-sdk' });
    return run.events$;
  }

  @Sse(':id/stream')
  @SseChannel(CHAT, { run: true })
  follow() {}

  @Delete(':id')
  @HttpCode(204)
  async stop(@Param('id') id: string) {
    await this.sse.stop(channelName(CHAT, { id }));
  }
}
