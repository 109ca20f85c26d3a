import { readdir, readFile } from 'node:fs/promises';
import { until } from '../../support/until.js';

/** How long a page works so that its process is found, in milliseconds. */
const WORK_MS = 250;

/** @returns how long each process that a process has started, by whatever ways, has worked: in ticks of 10 ms */
async function workOf(root: number): Promise<Map<number, number>> {
  const parents = new Map<number, number>();
  const work = new Map<number, number>();
  for (const entry of await readdir('/proc')) {
    // Those that have gone meanwhile have none. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    const text = /^\d+$/.test(entry)
      ? await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '')
      : '';
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    if (fields.length < 14) continue;
    parents.set(Number(entry), Number(fields[1]));
    work.set(Number(entry), Number(fields[11]) + Number(fields[12]));
  }
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && (parents.get(pid) === root || isBelow(parents.get(pid)));
  return new Map([...work].filter(([pid]) => isBelow(pid)));
}

/** The processes that a browser has started. */
export async function processesOf(browser: number): Promise<number[]> {
  return [...(await workOf(browser)).keys()];
}

/**
 * The process that runs a page: of all processes of the browser, the one that works when the page is made to.
 *
 * @param run evaluates an expression in the page
 */
export function processOfPage(
  browser: number,
  run: (expression: string) => Promise<unknown>,
): Promise<number> {
  const expression = `((end) => { while (performance.now() < end); return null; })(performance.now() + ${WORK_MS})`;
  return until(
    async () => {
      const before = await workOf(browser);
      await run(expression);
      const after = [...(await workOf(browser))];
      const [most, second] = after
        .map(([pid, ticks]) => ({ pid, ticks: ticks - (before.get(pid) ?? 0) }))
        .sort((one, other) => other.ticks - one.ticks);
      return most && most.ticks >= 8 && most.ticks >= 2 * (second?.ticks ?? 0) ? most.pid : 0;
    },
    { what: 'the process of a page to be the one that works' },
  );
}
