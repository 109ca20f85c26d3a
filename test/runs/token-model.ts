import { MockLanguageModelV3 } from 'ai/test';
import { setTimeout as sleep } from 'node:timers/promises';

type Part =
  Awaited<ReturnType<MockLanguageModelV3['doStream']>>['stream'] extends ReadableStream<infer P>
    ? P
    : never;

/** A stand-in for a language model: it generates the same words each time, as many as it is told to. */
export class TokenModel {
  /** What it generates, when it may. */
  readonly words = Array.from({ length: 40 }, (_, index) => `wörd-${index} `);
  /** Whether the generation has been aborted. */
  isAborted = false;
  private allowed = 0;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;

  get text(): string {
    return this.words.join('');
  }

  /** Lets it generate so many words in all; default: all of them. */
  allow(words = this.words.length): void {
    this.allowed = words;
    this.wake?.();
  }

  /** Makes it fail after the words that it may generate. */
  fail(error: Error): void {
    this.failure = error;
    this.wake?.();
  }

  /** The model, for `streamText()`. */
  get model(): MockLanguageModelV3 {
    return new MockLanguageModelV3({
      doStream: ({ abortSignal }) => {
        abortSignal?.addEventListener('abort', () => {
          this.isAborted = true;
          this.wake?.();
        });
        return Promise.resolve({
          stream: ReadableStream.from(this.parts()) as ReadableStream<Part>,
        });
      },
    });
  }

  private async *parts(): AsyncGenerator<Part> {
    yield { type: 'stream-start', warnings: [] };
    yield { type: 'text-start', id: '1' };
    for (const [index, delta] of this.words.entries()) {
      while (index >= this.allowed && !this.isAborted && !this.failure) {
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
      if (this.isAborted) {
        return;
      }
      if (index >= this.allowed && this.failure) {
        yield { type: 'error', error: this.failure };
        return;
      }
      await sleep(1);
      yield { type: 'text-delta', id: '1', delta };
    }
    yield { type: 'text-end', id: '1' };
    yield {
      type: 'finish',
      finishReason: { unified: 'stop', raw: undefined },
      usage: {
        inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
        outputTokens: { total: 1, text: 1, reasoning: undefined },
      },
    };
  }
}
