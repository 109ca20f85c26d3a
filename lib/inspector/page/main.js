import { Channels } from './channels.js';
import { Connections, clock } from './connections.js';
import { Detail } from './detail.js';
import { byId, setText } from './dom.js';
import { counted } from './format.js';
import { Header } from './header.js';
import { Health, HealthNews } from './health.js';
import { Live } from './live.js';
import { Notices } from './notices.js';
import { Pulse } from './pulse.js';
import { Route } from './route.js';
import { Samples } from './samples.js';
import { Tabs } from './tabs.js';
import { Totals } from './totals.js';

/** @import { Overview } from '../overview.js' */

const route = new Route();
const pulse = new Pulse();
const notices = new Notices();
const header = new Header();
const totals = new Totals();
const health = new Health();
const news = new HealthNews();
const samples = new Samples();
const channels = new Channels(route, pulse);
const connections = new Connections(route, pulse);
const detail = new Detail(route, pulse);
const tabs = new Tabs(byId('tabs'), (tab) => route.change({ tab }, 'push'));

byId('channels').append(channels.view.element);
byId('connections').append(connections.view.element);

route.onChange((look) => {
  tabs.show(look.tab);
  channels.show(look);
  connections.show(look);
  detail.show(look);
  showTotal();
});
channels.view.onTotal = showTotal;
connections.view.onTotal = showTotal;

/** How many rows the list has that is shown. */
function showTotal() {
  const isChannels = route.look.tab === 'channels';
  const { total } = isChannels ? channels.view.rows : connections.view.rows;
  const text = total === undefined ? '' : counted(total, isChannels ? 'channel' : 'connection');
  setText(byId('total'), text);
}

/** The instance whose overview is shown. */
let instance = '';

/** Behind a balancer each request may reach another instance. @param {string} answered */
function compare(answered) {
  const isOther = instance !== '' && answered !== instance;
  const text =
    `The lists are answered by ${answered}, and the totals by ${instance}: a balancer stands between. ` +
    'Open the inspector at the address of one instance.';
  notices.show('instance', isOther ? text : undefined);
}
channels.view.rows.onInstance = compare;
connections.view.rows.onInstance = compare;
detail.onInstance = compare;

/** What is said when the numbers are those of another process. */
const CHANGES = {
  restart: () => 'The instance has started anew.',
  /** @param {string} name */
  other: (name) => `Another instance answers now: ${name}.`,
};

let state = '';

const live = new Live({
  onState(next, text, why) {
    header.showState(next, text);
    notices.show('stream', why);
    pulse.allow(next !== 'away' && next !== 'refused');
    document.body.classList.toggle('is-stale', next !== 'live' && next !== 'connecting');
    if (next === state) return;
    if (next === 'away' && state === 'live') notices.say('Disconnected from the server.');
    if (next === 'live' && (state === 'away' || state === 'refused'))
      notices.say('Connected again.');
    state = next;
  },
  /** @param {Overview} overview */
  onOverview(overview) {
    instance = overview.instance;
    detail.instance = instance;
    clock.ahead = overview.at - Date.now();
    const change = samples.add(overview);
    header.show(overview);
    totals.show(overview, samples.list);
    health.show(overview);
    detail.allow(overview.showData, overview.send);
    const said = change ? CHANGES[change](instance) : news.news(overview.systems);
    if (said !== undefined) notices.say(said);
  },
});
live.start();

addEventListener('keydown', (event) => {
  const target = /** @type {Element} */ (event.target);
  if (event.key !== '/' || target.closest('input, textarea, select')) return;
  event.preventDefault();
  route.change({ tab: 'channels' });
  channels.focusFilter();
});
