/** The folder of the routes, whatever the path under which a proxy shows them. */
const folder = new URL('..', import.meta.url);

const source = new EventSource(new URL('live', folder));
source.addEventListener('overview', ({ data }) => {
  document.querySelector('#overview').textContent = JSON.stringify(JSON.parse(data), null, 2);
});
