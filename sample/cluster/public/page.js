const template = document.querySelector('#instance');
const instances = await (await fetch('instances')).json();

for (const url of instances) {
  const card = template.content.cloneNode(true).querySelector('article');
  const list = card.querySelector('ol');
  const state = card.querySelector('.state');
  card.querySelector('h2').textContent = new URL(url).host;
  card.querySelector('.lounge').href = `${url}/lounge.html`;
  card.querySelector('.answers').href = `${url}/answers.html`;

  const show = (event, text) => {
    const item = document.createElement('li');
    item.className = event.type === 'sse:reset' ? 'reset' : '';
    item.textContent = `${event.lastEventId}  ${text}`;
    list.prepend(item);
  };
  const chat = new EventSource(`${url}/events/chat`);
  chat.addEventListener('open', () => (state.textContent = 'open'));
  chat.addEventListener('error', () => (state.textContent = 'reconnecting'));
  chat.addEventListener('message', (event) => {
    const { from, text } = JSON.parse(event.data);
    show(event, `${from}: ${text}`);
  });
  const key = new EventSource(`${url}/events/key`);
  key.addEventListener('message', (event) => show(event, `key: ${event.data}`));
  for (const source of [chat, key]) {
    source.addEventListener('sse:reset', (event) => show(event, event.data));
  }

  const call = async (method, path, body) => {
    try {
      await fetch(`${url}/${path}`, { method, body, headers: { 'content-type': 'text/plain' } });
    } catch {
      state.textContent = 'not reachable';
    }
  };
  for (const [name, method] of [
    ['chat', 'POST'],
    ['key', 'PUT'],
  ]) {
    const form = card.querySelector(`form.${name}`);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void call(method, name, form.querySelector('input').value);
    });
  }
  card.querySelector('.crash').addEventListener('click', () => call('POST', 'crash'));
  document.querySelector('#instances').append(card);
}
