// A tab of the tests: what it has received of each channel, whose events are the numbers 1, 2, 3 …
// ?key=… names whose tab it is; with ?keep it goes on after a reload where it was; ?without=… is what the
// browser does not have. With ?report=… it tells the server again and again what it shows, under that name.
import { DirectUpstream } from '../../../lib/client/direct-upstream.ts';
import { shareTabs } from '../../../lib/client/share-tabs.ts';

const asked = new URL(location.href).searchParams;
const kept = asked.has('keep') ? JSON.parse(sessionStorage.getItem('kept') ?? '{}') : {};

/** By channel: its numbers in order, and the position of the last. */
const channels = {};
/** The same of what was unwanted, and then wanted anew. */
const past = [];
let wanted = new Set();
const statuses = [];
const fallbacks = [];
/** Of each number of the first channel: when it was sent, and when it came. */
const ways = [];

const of = (name) =>
  (channels[name] ??= kept[name] ?? { numbers: [], opened: 0, resets: 0, denied: 0, ended: 0 });

const sink = {
  opened(name, position) {
    of(name).opened++;
    of(name).position = position;
  },
  event(name, { data, position }) {
    const [n, sent] = data.split(' ').map(Number);
    of(name).numbers.push(n);
    of(name).position = position;
    if (name === 'numbers:0') ways.push([sent, Date.now()]);
  },
  reset(name, _reason, position) {
    of(name).resets++;
    of(name).position = position;
  },
  over(name, how) {
    of(name)[how === 'onEnd' ? 'ended' : 'denied']++;
  },
  status(status, error) {
    statuses.push(error ? `${status}: ${error.message}` : status);
  },
};

const missing = asked.get('without');
if (missing === 'locks') delete Navigator.prototype.locks;
else if (missing) delete globalThis[missing];

const connect = (to) => new DirectUpstream('/stream', {}, to);
const share = shareTabs({
  key: asked.get('key') ?? '',
  onFallback: (reason) => fallbacks.push(reason),
});
const upstream = asked.has('alone') ? connect(sink) : share({ url: '/stream', connect }, sink);

addEventListener('pagehide', () => sessionStorage.setItem('kept', JSON.stringify(channels)));

/** How often the page came back from the back-forward cache. */
let returns = 0;
addEventListener('pageshow', ({ persisted }) => (returns += persisted ? 1 : 0));

/** Ascending by one, from first to last. */
function isWhole(numbers) {
  return numbers.every((n, at) => at === 0 || n === numbers[at - 1] + 1);
}

globalThis.tab = {
  /** @param names of channels; from where, `undefined` for what is sent from now on */
  want(names, from) {
    for (const name of names) {
      if (wanted.has(name) || !channels[name]) continue;
      past.push(channels[name]);
      delete channels[name];
    }
    wanted = new Set(names);
    upstream.want(
      names.map((name) => {
        const position = kept[name]?.position ?? from;
        return position ? { name, position } : { name };
      }),
    );
  },
  close: () => upstream.close(),
  /** Whether it has received this number: shorter than all that is shown. */
  has: (name, n) => channels[name]?.numbers.at(-1) >= n,
  /** @returns of each channel how far it is, and whether anything is missing or twice */
  shown: () => ({
    channels: Object.fromEntries(
      Object.entries(channels).map(([name, { numbers, position: _position, ...rest }]) => [
        name,
        {
          ...rest,
          first: numbers[0] ?? 0,
          last: numbers.at(-1) ?? 0,
          isWhole: isWhole(numbers),
          ...(!isWhole(numbers) && { numbers: numbers.slice(-3_000) }),
        },
      ]),
    ),
    statuses,
    fallbacks,
    isLeader: upstream.session?.leader !== undefined,
    returns,
    brokenPast: past.map(({ numbers }) => numbers).filter((numbers) => !isWhole(numbers)),
  }),
  /** @returns milliseconds, of what was sent since then: until the first and the last came, and half and most of the ways */
  measured(since) {
    const sorted = (numbers) => numbers.sort((one, other) => one - other);
    const later = ways.filter(([sent]) => sent >= since);
    const times = sorted(later.map(([sent, came]) => came - sent));
    const came = sorted(later.map(([, time]) => time - since));
    return {
      first: came[0],
      last: came.at(-1),
      half: times[times.length >> 1],
      most: times.at(-1),
    };
  },
};

if (asked.has('report')) {
  setInterval(() => {
    const body = JSON.stringify(tab.shown());
    void fetch(`/report?id=${asked.get('report')}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
  }, 200);
}
