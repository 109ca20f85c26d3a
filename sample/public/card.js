const STATES = {
  connecting: 'connecting …',
  open: 'live',
  reconnecting: 'connection lost, reconnecting …',
  completing: 'done, closing …',
  completed: 'completed, no more will come',
  refused: 'refused by the server',
  disconnected: 'disconnected',
};

/** Shows a stream's state in its card, and lets it be connected and disconnected. */
export function showStream(stream, card) {
  card.append(document.querySelector('#stream-state').content.cloneNode(true));
  const find = (selector) => card.querySelector(selector);
  const heading = find('h2');
  heading.id = `stream-${stream.name}`;
  card.setAttribute('aria-labelledby', heading.id);
  heading.after(find('.state'));

  const toggle = find('.toggle');
  toggle.addEventListener('click', () => (stream.active ? stream.disconnect() : stream.connect()));
  find('.unknown').addEventListener('click', () => stream.connect('no-such-position'));

  const show = () => {
    card.dataset.state = stream.state;
    find('.state-name').textContent = STATES[stream.state];
    find('.url').textContent = stream.url;
    find('.count').textContent = stream.count;
    find('.last-id').textContent = stream.lastId || '–';
    toggle.textContent = stream.active ? 'Disconnect' : 'Connect';
  };
  stream.addEventListener('state', show);
  stream.addEventListener('event', ({ detail }) => {
    show();
    if (detail.name === 'sse:reset') showReset(find('.reset'), detail);
  });
  show();
}

/** Here an app of yours fetches its state anew: events may be missing. */
function showReset(notice, { data, time }) {
  const { reason } = JSON.parse(data);
  notice.textContent = `${time.toLocaleTimeString([], { hour12: false })} sse:reset (${reason}): events may be missing, a page refetches its state now.`;
  notice.hidden = false;
}
