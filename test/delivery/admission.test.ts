import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { DIAGNOSTICS } from '../../lib/channel/diagnostics.js';
import { Admission } from '../../lib/delivery/admission.js';
import { Arrivals, type Arrival } from '../../lib/delivery/arrivals.js';

describe('Admission', () => {
  it('lets in as many as may be open, of each client and of all', () => {
    const admission = new Admission({ maxConnections: 3, maxConnectionsPerClient: 2 });
    const enter = (...clients: string[]) => clients.map((client) => admission.enter(client));
    expect(enter('a', 'a', 'a', 'b', 'b', 'a')).toEqual([
      undefined,
      undefined,
      'client-limit',
      undefined,
      'capacity',
      'client-limit',
    ]);
    admission.leave('a');
    expect(enter('a', 'b')).toEqual([undefined, 'capacity']);
    ['a', 'a', 'b'].forEach((client) => admission.leave(client));
    expect(enter('a', 'a', 'a', 'c', 'c')).toEqual([
      undefined,
      undefined,
      'client-limit',
      undefined,
      'capacity',
    ]);
    expect(admission.refusals).toEqual({
      closing: 0,
      capacity: 3,
      'client-limit': 3,
      'channel-limit': 0,
    });
  });

  it('counts the connections that a client has left, and forgets clients that have none', () => {
    const admission = new Admission({ maxConnections: 100, maxConnectionsPerClient: 2 });
    ['an address', 'an address'].forEach((client) => admission.enter(client));
    admission.leave('an address');
    expect([admission.enter('an address'), admission.enter('an address')]).toEqual([
      undefined,
      'client-limit',
    ]);
    expect(inspect(admission)).toContain('an address');
    ['an address', 'an address'].forEach((client) => admission.leave(client));
    expect(inspect(admission)).not.toContain('an address');
  });

  it('lets nobody in once it is closed', () => {
    const admission = new Admission({ maxConnections: 3, maxConnectionsPerClient: 2 });
    admission.close();
    expect([admission.enter('a'), admission.refusals.closing]).toEqual(['closing', 1]);
  });

  it('tells those who listen of each client that it refuses', () => {
    const admission = new Admission({ maxConnections: 0, maxConnectionsPerClient: 2 });
    const told: unknown[] = [];
    const listen = (message: unknown): void => void told.push(message);
    subscribe(DIAGNOSTICS.refused, listen);
    admission.enter('a');
    admission.refuse('channel-limit');
    unsubscribe(DIAGNOSTICS.refused, listen);
    admission.enter('a');
    expect(told).toEqual([{ reason: 'capacity' }, { reason: 'channel-limit' }]);
  });
});

describe('Arrivals', () => {
  const PERIOD = 1_000;
  const detach = <R>(run: () => R): R => run();
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  /** A request that notes what is done with it. */
  const arrive = () => {
    const done: string[] = [];
    const note = (what: string) => () => void done.push(what);
    const arrival = {
      isGone: false as boolean,
      drain: note('drain'),
      leave: note('leave'),
      sendAway: note('send away'),
      destroy: note('destroy'),
    } satisfies Arrival;
    return { arrival, done };
  };

  it('know whom a request counts for, once it has a place', () => {
    const arrivals = new Arrivals(PERIOD, detach);
    const [{ arrival }, { arrival: other }] = [arrive(), arrive()];
    expect([arrivals.hasPlace(arrival), arrivals.take(arrival)]).toEqual([false, undefined]);
    arrivals.add(arrival);
    arrivals.add(other, 'b');
    expect([arrivals.hasPlace(arrival), arrivals.hasPlace(other)]).toEqual([false, true]);
    arrivals.add(arrival, 'a');
    expect([arrivals.hasPlace(arrival), arrivals.size, [...arrivals]]).toEqual([
      true,
      2,
      [arrival, other],
    ]);
    expect([arrivals.take(arrival), arrivals.take(arrival), arrivals.size]).toEqual([
      'a',
      undefined,
      1,
    ]);
    expect([arrivals.take(other), arrivals.size]).toEqual(['b', 0]);
    jest.advanceTimersByTime(PERIOD);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('drop the bodies of requests at the second look, and end those whose client has left', () => {
    const arrivals = new Arrivals(PERIOD, detach);
    const [early, late] = [arrive(), arrive()];
    arrivals.add(early.arrival);
    jest.advanceTimersByTime(PERIOD);
    arrivals.add(late.arrival, 'b');
    expect([early.done, late.done]).toEqual([[], []]);
    jest.advanceTimersByTime(PERIOD);
    expect([early.done, late.done]).toEqual([['drain'], []]);
    early.arrival.isGone = true;
    jest.advanceTimersByTime(PERIOD);
    expect([early.done, late.done]).toEqual([['drain', 'leave'], ['drain']]);
    arrivals.take(early.arrival);
    arrivals.take(late.arrival);
    jest.advanceTimersByTime(PERIOD);
    expect([early.done.length, late.done.length]).toEqual([2, 1]);
  });
});
