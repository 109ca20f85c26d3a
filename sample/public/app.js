import { showStream } from './card.js';
import { createChart } from './chart.js';
import { createLog } from './log.js';
import { call } from './server.js';
import { Stream } from './stream.js';
import { isFirstTab } from './tabs.js';

const $ = (selector) => document.querySelector(selector);
const segment = (form, field) => encodeURIComponent($(`#${form}`).elements[field].value);

const streams = [
  new Stream('users', () => '/events/users'),
  new Stream('orders', () => '/events/orders'),
  new Stream('key', () => `/events/keys/${segment('send-key', 'key')}`),
  new Stream('room', () => `/events/rooms/${segment('send-room', 'room')}`),
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
  const name = segment('send-key', 'key');
  if (button === 'done') await call('DELETE', `/keys/${name}`);
  else await call('PUT', `/${button === 'write' ? 'cache' : 'keys'}/${name}`, value, 'text/plain');
  return button === 'done' ? 'Sent the done signal' : 'Wrote the key';
});
onSubmit('send-room', async ({ message }, button) => {
  const path = `/rooms/${segment('send-room', 'room')}`;
  const count = button === 'burst' ? 50 : 1;
  for (let n = 1; n <= count; n++)
    await call('POST', path, count > 1 ? `${message} ${n}` : message, 'text/plain');
  return count > 1 ? `Sent ${count} messages` : 'Sent the message';
});

$('#send-key').elements.key.addEventListener('change', () => key.restart());
$('#send-room').elements.room.addEventListener('change', () => room.restart());
$('#clear').addEventListener('click', () => log.clear());
for (const chip of document.querySelectorAll('[data-filter]')) {
  chip.addEventListener('click', () => {
    const shown = chip.getAttribute('aria-pressed') !== 'true';
    chip.setAttribute('aria-pressed', shown);
    $('#log').classList.toggle(`without-${chip.dataset.filter}`, !shown);
  });
}

if (await isFirstTab()) {
  for (const stream of streams) stream.connect();
} else {
  show(
    'Another tab has this page open. A browser opens six connections per address over HTTP/1.1, and that tab holds five: the last one is left to the buttons. Disconnect a stream there to connect one here. “Many rooms, one connection” has no such limit.',
  );
}
showUses().catch(({ message }) => show(message));

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
