// In an app of yours: from 'nestjs-sse-channels/client', and from your channels' modules.
import { Key, Room, SseClient, shareTabs } from './sse-client.js';
import { showStream } from './card.js';
import { ChannelStream } from './channel-stream.js';
import { createChart } from './chart.js';
import { createLog } from './log.js';
import { call } from './server.js';
import { Stream } from './stream.js';

const $ = (selector) => document.querySelector(selector);
const valueOf = (form, field) => $(`#${form}`).elements[field].value;

// One connection for all channels of all tabs.
const tabs = shareTabs({
  onFallback: (reason) => show(`This tab has its own connection: ${reason}.`),
});
const client = new SseClient('/stream', { tabs });
client.onStatus((status) => {
  $('#status').textContent = status;
  $('#connection').dataset.state = status;
});

const streams = [
  new ChannelStream(client, 'users', () => 'user_updates'),
  new ChannelStream(client, 'orders', () => 'orders'),
  new ChannelStream(client, 'key', () => Key.channel({ key: valueOf('send-key', 'key') })),
  new ChannelStream(client, 'room', () => Room.channel({ room: valueOf('send-room', 'room') })),
  // By a browser's EventSource, which needs no library.
  new Stream('clock', () => '/events/clock'),
];
const [users, , key, room, clock] = streams;

const log = createLog($('#log'), $('#empty'));
const chart = createChart(
  $('#chart'),
  streams.map(({ name }) => name),
);
let total = 0;

for (const stream of streams) {
  showStream(stream, $(`.card[data-stream=${stream.name}]`));
  stream.addEventListener('event', ({ detail }) => {
    log.add(detail);
    chart.count(detail.stream);
    $('#total').textContent = ++total;
  });
}
setInterval(() => {
  const { now, peak } = chart.tick();
  $('#rate').textContent = now;
  $('#peak').textContent = peak;
}, 1_000);

users.addEventListener('event', ({ detail }) => {
  if (detail.name === 'insert') offerUser(JSON.parse(detail.data));
});
clock.addEventListener('event', ({ detail }) => {
  if (detail.name === 'message')
    $('#time').textContent = new Date(JSON.parse(detail.data).time).toLocaleTimeString([], {
      hour12: false,
    });
});

onSubmit('insert-user', async ({ name, status }) => {
  const user = await call('POST', '/users', { name, status });
  offerUser(user);
  return `Wrote user ${user.id}`;
});
onSubmit('update-user', async ({ id, status }) => {
  await call('PATCH', `/users/${id}`, { status });
  return `Updated user ${id}`;
});
onSubmit('send-order', async ({ item }, button) => {
  const { order } = await call('POST', '/orders', { item, rollback: button === 'rollback' });
  return button === 'rollback' ? `Rolled back order ${order.id}` : `Placed order ${order.id}`;
});
onSubmit('send-key', async ({ value }, button) => {
  const name = encodeURIComponent(valueOf('send-key', 'key'));
  if (button === 'done') await call('DELETE', `/keys/${name}`);
  else await call('PUT', `/${button === 'write' ? 'cache' : 'keys'}/${name}`, value, 'text/plain');
  return button === 'done' ? 'Sent the done signal' : 'Wrote the key';
});
onSubmit('send-room', async ({ message }, button) => {
  const path = `/rooms/${encodeURIComponent(valueOf('send-room', 'room'))}`;
  const count = button === 'burst' ? 50 : 1;
  for (let n = 1; n <= count; n++)
    await call('POST', path, count > 1 ? `${message} ${n}` : message, 'text/plain');
  return count > 1 ? `Sent ${count} messages` : 'Sent the message';
});

const onName = (form, field, stream) =>
  $(form).elements[field].addEventListener(
    'change',
    ({ target }) => target.value && stream.restart(),
  );
onName('#send-key', 'key', key);
onName('#send-room', 'room', room);
$('#clear').addEventListener('click', () => log.clear());
for (const chip of document.querySelectorAll('[data-filter]')) {
  chip.addEventListener('click', () => {
    const shown = chip.getAttribute('aria-pressed') !== 'true';
    chip.setAttribute('aria-pressed', shown);
    $('#log').classList.toggle(`without-${chip.dataset.filter}`, !shown);
  });
}

for (const stream of streams) if (stream !== clock) stream.connect();
whileVisible(clock);
showUses().catch(({ message }) => show(message));

/**
 * An EventSource holds one of the six connections that a browser has to an address over HTTP/1.1, for all
 * tabs together. So only a tab that is looked at has one.
 */
function whileVisible(stream) {
  let isWanted = true;
  const change = () => {
    if (document.hidden) {
      isWanted = stream.active;
      stream.disconnect();
    } else if (isWanted) stream.connect();
  };
  document.addEventListener('visibilitychange', change);
  if (!document.hidden) stream.connect();
}

async function showUses() {
  const { uses } = await call('GET', '/stats');
  $('#uses-postgres').textContent = uses.postgres;
  $('#uses-cache').textContent = uses.cache;
}

/** Runs an action with the form's values and says what came of it. */
function onSubmit(id, action) {
  const form = $(`#${id}`);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (button) button.disabled = true;
    try {
      $('#said').textContent = await action(Object.fromEntries(new FormData(form)), button?.value);
      show('');
    } catch (error) {
      show(error.message);
    } finally {
      if (button) button.disabled = false;
    }
  });
}

function offerUser({ id, name }) {
  const select = $('#update-user').elements.id;
  if (select.disabled) {
    select.replaceChildren();
    select.disabled = false;
    $('#update-user button').disabled = false;
  }
  if ([...select.options].some(({ value }) => value === String(id))) return;
  select.add(new Option(`${id} ${name ?? ''}`, id), 0);
  select.selectedIndex = 0;
}

function show(message) {
  $('#notice').textContent = message;
  $('#notice').hidden = message === '';
}
