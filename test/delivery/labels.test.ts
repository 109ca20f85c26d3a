import { describe, expect, it } from '@jest/globals';
import { hasShortPositions, labelOf } from '../../lib/channel/composite-id.js';
import {
  mayBePosition,
  NO_CHANNELS,
  NO_POSITION,
  resumePositions,
} from '../../lib/delivery/resume-positions.js';
import { MemoryBroker } from '../../lib/sources/memory/memory-broker.js';
import { ClientRig } from './client-rig.js';

describe('Labels of channels in event ids', () => {
  it('must differ on one connection: two names with the same label are refused there, and there alone', async () => {
    const [first, second] = ['channel 8dd7afb2f629', 'channel d756799ffc88'];
    expect(labelOf(first!)).toBe(labelOf(second!));
    const rig = new ClientRig({ maxChannels: 2 });
    const source = new MemoryBroker(rig.delivery.channels);
    const requests = [first!, second!].map((name) => ({ source, name }));
    await expect(rig.connect(requests)).rejects.toMatchObject({
      code: 'INVALID_CHANNEL',
      message: expect.stringMatching(/"channel 8d.*" and "channel d7.*" .*Rename one/),
    });
    // Both were given back: there is room for two others.
    const others = await rig.connect(['x', 'y'].map((name) => ({ source, name })));
    expect(Object.values(others.frames.map(({ type }) => type))).toEqual(['sse:open']);
    others.cut();
    const alone = await Promise.all(requests.map((request) => rig.connect([request])));
    await source.publish(first!, { data: '1' });
    await source.publish(second!, { data: '2' });
    await new Promise(setImmediate);
    expect(alone.map(({ data }) => data)).toEqual([['1'], ['2']]);
    rig.close();
  });

  it('are the same for a channel that a request names twice', async () => {
    const rig = new ClientRig();
    const source = new MemoryBroker(rig.delivery.channels);
    await expect(rig.connect([1, 2].map(() => ({ source, name: 'a' })))).resolves.toBeDefined();
    rig.close();
  });
});

describe('The positions that a client resumes from', () => {
  const [a, b, c] = ['aaaaaaaa', 'bbbbbbbb', 'cccccccc'] as const;

  it.each<[string, string, readonly string[], readonly (string | undefined)[] | undefined]>([
    ['are found by label', `${a}:1,${b}:2`, [b, a], ['2', '1']],
    ['are unknown of new channels', `${a}:1,${c}:2`, [a, b], ['1', undefined]],
    ['are found for one channel as well', `${a}:1,${b}:2`, [b], ['2']],
    ['may hold what separates labels', `${a}:1:2`, [a], ['1:2']],
    ['are the whole id where no label is', '1-2', [a, b], ['1-2', '1-2']],
    ['are the whole id where labels are of others', `${c}:1`, [a], [`${c}:1`]],
    ['are the whole id where a position is empty', `${a}:`, [a], [`${a}:`]],
    ['are the whole id where a part has no label', `${a}:1,2`, [a], [`${a}:1,2`]],
    ['are all the earliest', 'earliest', [a, b], ['earliest', 'earliest']],
    ['are none in what no frame carries', NO_POSITION, [a], undefined],
    ['are none in two lines', `${a}:1\n`, [a], undefined],
    ['are none after a carriage return', `${a}:1\r2`, [a], undefined],
  ])('%s', (_, id, labels, positions) => {
    expect(resumePositions(id, labels)).toEqual(positions);
  });

  it('are unknown of other channels, and of all after an empty set, where the set changes', () => {
    expect(resumePositions(`${c}:1`, [a, b], true)).toEqual([undefined, undefined]);
    expect(resumePositions(NO_CHANNELS, [a, b], true)).toEqual([undefined, undefined]);
    expect(resumePositions('1-2', [a], true)).toEqual(['1-2']);
    // A position of a channel's own, which is as long as a label up to its number.
    expect(resumePositions(`${a}-1`, [a, b], true)).toEqual([`${a}-1`, `${a}-1`]);
  });

  it('have at most so many characters each', () => {
    for (const [id, isShort] of [
      [`${a}:12345`, true],
      [`${a}:123456`, false],
      [`${a}:12345,${b}:12345`, true],
      [`${a}:12345,${b}:123456`, false],
      [`${a}:123456,${b}:1`, false],
    ] as const) {
      expect([id, hasShortPositions(id, 5)]).toEqual([id, isShort]);
    }
  });

  it.each([
    ['1-2', true],
    ['', false],
    ['1,2', false],
    ['1\r2', false],
    ['1\n', false],
    [NO_POSITION, false],
  ])('may be %j: %s', (text, isPosition) => {
    expect(mayBePosition(text)).toBe(isPosition);
  });
});
