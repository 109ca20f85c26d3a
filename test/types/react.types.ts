/*
 * What the compiler knows of the hooks: `npm run typecheck` fails for a line that does not compile, and
 * for an @ts-expect-error above a line that does. Nothing runs.
 */
import type { ClientEvent, ClientEventOf, ClientReset } from '../../lib/client/index.js';
import { useChannel, type ClientSnapshot } from '../../lib/react/index.js';
import { defineChannel, unchecked } from '../../lib/typed/index.js';

/** True when both types are the same, `any` and `unknown` included. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_isSame: Same<A, B>): void => undefined;

const Job = defineChannel('job:{id}', {
  progress: unchecked<{ percent: number }>(),
  failed: unchecked<{ why: string }>(),
});
const News = defineChannel('news', { message: unchecked<string>() });
type JobEvent = ClientEventOf<typeof Job>;

export function Component(): void {
  const job = useChannel(Job, { id: 5 }, { keep: 3 });
  same<typeof job.event, JobEvent | undefined>(true);
  same<typeof job.events, readonly JobEvent[]>(true);
  same<typeof job.state, undefined>(true);
  if (job.event?.type === 'progress') void (job.event.data.percent satisfies number);

  const { state } = useChannel(
    Job,
    { id: 'a' },
    {
      initial: 0,
      reduce(percent, event) {
        same<typeof event, JobEvent | ClientReset | ClientSnapshot>(true);
        return event.type === 'progress' ? event.data.percent : percent;
      },
      onEvent: (event) => same<typeof event, JobEvent | ClientReset>(true),
    },
  );
  same<typeof state, number>(true);

  const news = useChannel(News, { initial: [''], reduce: (all) => all });
  same<typeof news.state, string[]>(true);
  useChannel(News);

  const named = useChannel('news', {
    initial: 'a',
    reduce: (text, { data }) => text + String(data),
  });
  same<typeof named.event, ClientEvent | undefined>(true);
  same<typeof named.state, string>(true);

  // @ts-expect-error the params of the template are missing
  useChannel(Job);
  // @ts-expect-error options are no params
  useChannel(Job, { keep: 3 });
  // @ts-expect-error a param of another name
  useChannel(Job, { job: 5 });
  // @ts-expect-error a reducer needs a state to begin with
  useChannel('news', { reduce: (count: number) => count + 1 });
  // @ts-expect-error no option
  useChannel('news', { kept: 3 });
}
