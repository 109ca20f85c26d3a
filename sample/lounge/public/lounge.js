const $ = (id) => document.getElementById(id);
const room = new URLSearchParams(location.search).get('room') || 'lobby';
const lounge = `/lounges/${encodeURIComponent(room)}`;
const RETURN_MS = 2_000;
const TYPING_MS = 2_000;

let me;
let source;
const people = new Set();
/** Who types, each with the timer that ends it. */
const typing = new Map();

$('room').textContent = room;
$('host').textContent = location.host;

/** Asks who the visitor is: opens the stream, or shows the form. */
async function begin() {
  try {
    me = (await call('GET', '/session')).name;
    if (!source || source.readyState === EventSource.CLOSED) open();
    if ($('inside').hidden) {
      show('inside');
      $('text').focus();
    }
  } catch (error) {
    if (error.status === 401) leave();
    // An EventSource that still tries returns by itself.
    else if (source?.readyState !== EventSource.CONNECTING) setTimeout(begin, RETURN_MS);
  }
}

function open() {
  source = new EventSource(`/events${lounge}`);
  source.addEventListener('open', () => ($('state').textContent = ''));
  source.addEventListener('error', () => {
    $('state').textContent = 'The connection is lost …';
    // The server may have ended the stream because the visitor has logged out elsewhere.
    void begin();
  });
  source.addEventListener('sse:snapshot', ({ data }) => {
    people.clear();
    for (const name of JSON.parse(data).state) people.add(name);
    showPeople();
  });
  source.addEventListener('sse:join', ({ data }) => {
    const { id } = JSON.parse(data);
    people.add(id);
    showPeople(`${id} is here.`);
  });
  source.addEventListener('sse:leave', ({ data }) => {
    const { id } = JSON.parse(data);
    people.delete(id);
    showTyping(id, false);
    showPeople(`${id} has left.`);
  });
  source.addEventListener('message', ({ data }) => {
    const { from, text } = JSON.parse(data);
    showTyping(from, false);
    const line = document.createElement('li');
    line.textContent = `${from}: ${text}`;
    $('talk').append(line);
    line.scrollIntoView({ block: 'nearest' });
  });
  source.addEventListener('typing', ({ data }) => {
    const { from } = JSON.parse(data);
    if (from !== me) showTyping(from, true);
  });
}

/** The session has ended: closes the stream, and shows the form. */
function leave() {
  const wasInside = me !== undefined;
  source?.close();
  source = me = undefined;
  people.clear();
  $('talk').replaceChildren();
  show('log-in');
  notify(wasInside ? 'You are logged out.' : '');
  $('name').focus();
}

function show(part) {
  for (const id of ['log-in', 'inside']) $(id).hidden = id !== part;
  notify('');
}

function notify(text) {
  $('notice').textContent = text;
  $('notice').hidden = text === '';
}

function showPeople(news = '') {
  $('state').textContent = news;
  const names = [...people].sort((a, b) => a.localeCompare(b));
  $('people').replaceChildren(
    ...names.map((name) => {
      const item = document.createElement('li');
      item.textContent = name === me ? `${name} (you)` : name;
      return item;
    }),
  );
}

function showTyping(name, isTyping) {
  clearTimeout(typing.get(name));
  typing.delete(name);
  // A visitor who stops sends nothing, so each sign lasts a little longer than the time to the next.
  if (isTyping)
    typing.set(
      name,
      setTimeout(() => showTyping(name, false), TYPING_MS + 1_000),
    );
  $('typing').textContent = typing.size > 0 ? `Typing: ${[...typing.keys()].join(', ')}` : '';
}

async function call(method, path, text) {
  const response = await fetch(path, {
    method,
    ...(text !== undefined && { headers: { 'content-type': 'text/plain' }, body: text }),
    signal: AbortSignal.timeout(8_000),
  });
  const answer = await response.text();
  const body = answer && JSON.parse(answer);
  if (!response.ok) throw Object.assign(new Error(body.message), { status: response.status });
  return body;
}

/** Runs an action of the visitor, and shows why it failed. */
async function act(action) {
  try {
    notify('');
    await action();
  } catch (error) {
    if (error.status === 401) leave();
    else notify(error.message);
  }
}

$('log-in').addEventListener('submit', (event) => {
  event.preventDefault();
  void act(async () => {
    await call('POST', '/session', $('name').value);
    await begin();
  });
});
$('say').addEventListener('submit', (event) => {
  event.preventDefault();
  void act(async () => {
    await call('POST', `${lounge}/messages`, $('text').value);
    $('text').value = '';
  });
});
$('log-out').addEventListener('click', () =>
  act(async () => {
    await call('DELETE', '/sessions');
    leave();
  }),
);

let lastSign = -Infinity;
$('text').addEventListener('input', () => {
  if (performance.now() - lastSign < TYPING_MS) return;
  lastSign = performance.now();
  // A sign that gets lost does not matter.
  call('POST', `${lounge}/typing`, '').catch(() => {});
});

await begin();
