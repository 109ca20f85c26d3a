import { until } from './rig.js';
import {
  follower,
  nameOf,
  newRun,
  numbered,
  plain,
  same,
  STOPPED,
  type AddRunCase,
} from './run-rig.js';

/** Cases of those who follow a run. */
export function addRunFollowCases(add: AddRunCase, timeout: number): void {
  add('tells followers of each chunk, whoever appends', async (one, two) => {
    const run = newRun();
    await one.begin(run);
    const followers = [follower(one, run), follower(two, run)];
    await until(
      () => followers.every(({ wakes }) => wakes > 0),
      () => 'a follower was not called once the store listened',
      timeout,
    );
    for (let after = 0; after < 20; after += 2) {
      await one.append({ ...nameOf(run), after, chunks: numbered(2, after) });
    }
    await two.end(nameOf(run), STOPPED, false);
    const all = plain([...numbered(20), ...STOPPED]);
    for (const each of followers) {
      await until(
        () => each.head === 22,
        () => `${each.head} of 22 chunks came`,
        timeout,
      );
      same(plain(each.chunks), all);
      each.leave();
    }
  });

  add('calls no follower that has left', async (one) => {
    const run = newRun();
    await one.begin(run);
    const left = follower(one, run);
    const stays = follower(one, run);
    await until(
      () => stays.wakes > 0,
      () => 'a follower was not called once the store listened',
      timeout,
    );
    left.leave();
    await one.append({ ...nameOf(run), after: 0, chunks: numbered(3) });
    await until(
      () => stays.head === 3,
      () => `${stays.head} of 3 chunks came`,
      timeout,
    );
    same(left.head, 0);
    stays.leave();
  });
}
