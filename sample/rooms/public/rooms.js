// In an app of yours: from 'nestjs-sse-channels/client', and from your channel's module.
import { Room, SseClient, shareTabs } from './sse-client.js';
import { call } from './server.js';

const KEPT = 100;
const $ = (selector) => document.querySelector(selector);

const client = new SseClient('/stream', { tabs: shareTabs() });
client.onStatus((status) => {
  $('#status').textContent = status;
  $('.top .state').dataset.state = status;
});

const asked = new URL(location.href).searchParams.getAll('room');
const open = new Map();
for (const room of asked.length > 0 ? asked : ['lobby', 'kitchen', 'garden']) enter(room);

$('#enter').addEventListener('submit', (event) => {
  event.preventDefault();
  enter(event.target.elements.room.value);
  event.target.reset();
});

/** Shows a room until the visitor leaves it. The connection is that of the others. */
function enter(room) {
  if (open.has(room)) return;
  const card = $('#room').content.cloneNode(true).firstElementChild;
  const find = (selector) => card.querySelector(selector);
  const become = (state) => {
    card.dataset.state = state;
    find('.state-name').textContent = state;
  };
  const tell = (text) => {
    const line = document.createElement('li');
    line.textContent = text;
    find('.messages').prepend(line);
    while (find('.messages').children.length > KEPT) find('.messages').lastChild.remove();
  };
  card.dataset.room = room;
  find('h2').textContent = room;
  find('.messages').setAttribute('aria-label', `Messages in ${room}`);

  const subscription = client.subscribe(
    Room,
    { room },
    {
      onOpen: () => become('open'),
      onEvent: ({ data }) => tell(typeof data === 'string' ? data : JSON.stringify(data)),
      onReset: ({ data }) => tell(`Messages may be missing (${data.reason}).`),
      onDenied: () => become('refused'),
      onError: (error) => tell(error.message),
    },
  );
  find('form').addEventListener('submit', (event) => {
    event.preventDefault();
    const { value } = event.target.elements.message;
    call('POST', `/rooms/${encodeURIComponent(room)}`, value, 'text/plain').catch(({ message }) =>
      tell(message),
    );
  });
  find('.leave').addEventListener('click', () => {
    subscription.close();
    card.remove();
    open.delete(room);
  });
  open.set(room, card);
  $('#rooms').append(card);
}
