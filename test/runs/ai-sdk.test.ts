import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DefaultChatTransport, readUIMessageStream, type UIMessageChunk } from 'ai';
import { ADAPTERS, closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ChatController, MODEL_ERROR, models, stored, type Given } from './chat.controller.js';
import { TokenModel } from './token-model.js';

/** A page of a chat, with the AI SDK's own transport. */
class Chat {
  readonly chunks: UIMessageChunk[] = [];
  ended: 'cleanly' | { readonly error: Error } | undefined;
  private readonly connection = new AbortController();
  private readonly transport: DefaultChatTransport<never>;

  constructor({ url }: TestApp, given?: Given) {
    this.transport = new DefaultChatTransport({
      api: `${url}/api/chat`,
      body: { given },
      fetch: (input, init) => fetch(input, { ...init, signal: this.connection.signal }),
    });
  }

  get text(): string {
    return this.chunks.map((chunk) => (chunk.type === 'text-delta' ? chunk.delta : '')).join('');
  }

  get last(): UIMessageChunk | undefined {
    return this.chunks.at(-1);
  }

  async send(): Promise<this> {
    const stream = await this.transport.sendMessages({
      trigger: 'submit-message',
      chatId: '1',
      messageId: undefined,
      messages: [],
      abortSignal: undefined,
    });
    void this.read(stream);
    return this;
  }

  /** Follows the run, as a page does after a reload. False when there is none. */
  async reconnect(): Promise<boolean> {
    const stream = await this.transport.reconnectToStream({ chatId: '1' });
    if (stream) {
      void this.read(stream);
    }
    return stream !== null;
  }

  /** Waits for so many characters of text. */
  async reads(characters: number): Promise<void> {
    await until(() => this.text.length >= characters, { what: `${characters} characters` });
  }

  async end(): Promise<this> {
    await until(() => this.ended, { what: 'the end of the stream' });
    return this;
  }

  leave(): void {
    this.connection.abort();
  }

  private async read(stream: ReadableStream<UIMessageChunk>): Promise<void> {
    try {
      for await (const chunk of stream) {
        this.chunks.push(chunk);
      }
      this.ended = 'cleanly';
    } catch (error) {
      this.ended = { error: error as Error };
    }
  }
}

describe.each(ADAPTERS)('A message of the AI SDK as a run on %s', (adapter) => {
  let app: TestApp;
  let model: TokenModel;

  beforeEach(async () => {
    models.current = model = new TokenModel();
    app = await startApp({
      adapter,
      controllers: [ChatController],
      options: { drainTimeout: 300 },
    });
  });
  afterEach(closeApps);

  const stop = () => fetch(`${app.url}/api/chat/1`, { method: 'DELETE' });

  it.each(['chunks', 'response'] as const)('is streamed, given as %s', async (given) => {
    model.allow();
    const chat = await (await new Chat(app, given).send()).end();
    expect(chat.text).toBe(model.text);
    expect(chat.ended).toBe('cleanly');
    expect(chat.chunks.map(({ type }) => type)).toEqual([
      'start',
      'start-step',
      'text-start',
      ...model.words.map(() => 'text-delta'),
      'text-end',
      'finish-step',
      'finish',
    ]);
    let text = '';
    const stream = ReadableStream.from(chat.chunks) as ReadableStream<UIMessageChunk>;
    for await (const { parts } of readUIMessageStream({ stream })) {
      text = parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
    }
    expect(text).toBe(model.text);
  });

  it('is whole after the connection was cut in the middle', async () => {
    model.allow(17);
    const first = await new Chat(app).send();
    await first.reads(100);
    first.leave();
    await first.end();
    const again = new Chat(app);
    expect(await again.reconnect()).toBe(true);
    await again.reads(100);
    model.allow();
    await again.end();
    expect(again.text).toBe(model.text);
    expect(again.last?.type).toBe('finish');
    expect(model.isAborted).toBe(false);
    expect(await again.reconnect()).toBe(false);
  });

  it('has several readers, each from the beginning', async () => {
    model.allow(5);
    const first = await new Chat(app).send();
    await first.reads(30);
    const others = [new Chat(app), new Chat(app)];
    expect(await Promise.all(others.map((chat) => chat.reconnect()))).toEqual([true, true]);
    model.allow();
    for (const chat of [first, ...others]) {
      expect((await chat.end()).chunks).toEqual(first.chunks);
    }
    expect(first.text).toBe(model.text);
  });

  it('has one id in each tab, and where it is stored', async () => {
    stored.current = [];
    model.allow(5);
    const first = await new Chat(app, 'stored').send();
    await first.reads(30);
    const second = new Chat(app);
    await second.reconnect();
    model.allow();
    const ids: unknown[] = [];
    for (const chat of [first, second]) {
      const { chunks } = await chat.end();
      ids.push(chunks[0]?.type === 'start' && chunks[0].messageId);
    }
    await until(() => stored.current.length === 2, { what: 'the messages to be stored' });
    const [question, answer] = stored.current;
    expect(question?.id).toBe('q');
    expect(answer?.id).toMatch(/./);
    expect(ids).toEqual([answer?.id, answer?.id]);
  });

  it('can be stopped, which ends it for every reader', async () => {
    model.allow(5);
    const first = await new Chat(app).send();
    const second = new Chat(app);
    await second.reconnect();
    await Promise.all([first.reads(30), second.reads(30)]);
    expect((await stop()).status).toBe(204);
    for (const chat of [first, second]) {
      await chat.end();
      expect(chat.last).toEqual({ type: 'abort' });
      expect(chat.ended).toBe('cleanly');
      expect(model.text.startsWith(chat.text)).toBe(true);
    }
    await until(() => model.isAborted);
    expect(await second.reconnect()).toBe(false);
  });

  it('that fails tells so, and not why', async () => {
    model.allow();
    const chat = await (await new Chat(app, 'broken').send()).end();
    expect(chat.text).toBe(model.words[0]);
    expect(chat.last).toMatchObject({ type: 'error' });
    expect(JSON.stringify(chat.chunks)).not.toContain('sk-123');
    expect(chat.ended).toBe('cleanly');
  });

  it('whose model fails has the error of the AI SDK, and not why', async () => {
    model.fail(new Error(MODEL_ERROR));
    const chat = await (await new Chat(app).send()).end();
    expect(chat.chunks).toContainEqual({ type: 'error', errorText: 'An error occurred.' });
    expect(JSON.stringify(chat.chunks)).not.toContain('sk-123');
  });

  it.each([
    ['overloaded', 'The model is overloaded.'],
    ['text', 'Internal server error'],
    ['textResponse', 'Internal server error'],
  ] as const)('that cannot start is a status: %s', async (given, message) => {
    model.allow();
    await expect(new Chat(app, given).send()).rejects.toThrow(message);
    expect(await new Chat(app).reconnect()).toBe(false);
    expect((await (await new Chat(app).send()).end()).text).toBe(model.text);
  });

  it('is refused with 409 while there is another', async () => {
    model.allow(5);
    const first = await new Chat(app).send();
    await expect(new Chat(app).send()).rejects.toThrow('409');
    model.allow();
    expect((await first.end()).text).toBe(model.text);
  });

  it('that a shutdown cuts does not look whole', async () => {
    model.allow(5);
    const chat = await new Chat(app).send();
    await chat.reads(30);
    await app.close();
    await chat.end();
    const isBroken = chat.ended !== 'cleanly';
    expect(isBroken || chat.last?.type === 'error').toBe(true);
  });
});
