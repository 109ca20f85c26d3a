import { existsSync } from 'node:fs';

/** The timeout of the documented configurations, in seconds, and what it is in the tests. */
export const DOCUMENTED_SECONDS = 60;
export const TIMEOUT_SECONDS = 2;

/** What a configuration is made of. */
export interface ProxySetup {
  /** The configuration of docs/proxies.md, with the tests' ports and times. */
  readonly block: string;
  /** The loopback port that the proxy is to listen on. */
  readonly port: number;
  /** A folder for its files. */
  readonly folder: string;
  /** The file with certificate and key, if it is to speak HTTP/2. */
  readonly pair?: string;
}

/** A proxy's program, and how it is given the documented configuration. */
export interface ProxyKind {
  readonly name: string;
  /** The environment variable that names the program. */
  readonly variable: string;
  /** The language of its block in the documentation. */
  readonly language: string;
  /** The whole configuration. */
  readonly file: (setup: ProxySetup) => string;
  /** The arguments that make it run in the foreground, without spaces in them. */
  readonly args: (file: string, setup: ProxySetup) => string;
}

const BROTLI = '/usr/lib/nginx/modules/ngx_http_brotli_filter_module.so';
const hasBrotli = existsSync(BROTLI);

const nginx: ProxyKind = {
  name: 'nginx',
  variable: 'NGINX',
  language: 'nginx',
  file: ({ block, port, folder, pair }) => `
${hasBrotli ? `load_module ${BROTLI};` : ''}
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${folder};
  proxy_temp_path ${folder};
  fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder};
  scgi_temp_path ${folder};
  server {
    listen 127.0.0.1:${port} ${pair ? 'ssl http2' : ''};
    ${pair ? `ssl_certificate ${pair}; ssl_certificate_key ${pair};` : ''}
    ${block}
  }
}
`,
  args: (file, { folder }) => `-c ${file} -p ${folder} -e stderr`,
};

/** nginx with a configuration that is whole. */
const wholeNginx: ProxyKind = {
  ...nginx,
  file: ({ block, port, folder }) => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr;
${block.replace('listen 80', `listen 127.0.0.1:${port}`).replace(
  'http {',
  `http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((path) => `${path}_temp_path ${folder};`).join(' ')}`,
)}
`,
};

const haproxy: ProxyKind = {
  name: 'HAProxy',
  variable: 'HAPROXY',
  language: 'haproxy',
  file: ({ block, port, pair }) => {
    const tls = pair ? ` ssl crt ${pair} alpn h2` : '';
    return `${block.replace('bind :80', `bind 127.0.0.1:${port}${tls}`)}\n`;
  },
  args: (file) => `-db -f ${file}`,
};

const APACHE_MODULES =
  'mpm_event alias asis authz_core authz_host deflate filter proxy proxy_http'.split(' ');

const apache: ProxyKind = {
  name: 'Apache',
  variable: 'APACHE',
  language: 'apache',
  file: ({ block, port, folder }) => `
ServerRoot ${folder}
DefaultRuntimeDir ${folder}
PidFile ${folder}/apache.pid
ErrorLog ${folder}/error.log
ServerName localhost
Listen 127.0.0.1:${port}
${APACHE_MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
${block.replace('/etc/apache2/', `${folder}/`)}
`,
  args: (file) => `-X -f ${file}`,
};

const caddy: ProxyKind = {
  name: 'Caddy',
  variable: 'CADDY',
  language: 'caddyfile',
  file: ({ block, port }) => `
{
  admin off
}
${block.replace('example.com {', `http://:${port} {\n  bind 127.0.0.1`)}
`,
  args: (file) => `run --adapter caddyfile --config ${file}`,
};

const varnish: ProxyKind = {
  name: 'Varnish',
  variable: 'VARNISH',
  language: 'vcl',
  file: ({ block }) => block,
  args: (file, { port, folder }) =>
    `-j none -F -f ${file} -a 127.0.0.1:${port} -n ${folder}/varnish -s default,1m ` +
    `-p pipe_timeout=${TIMEOUT_SECONDS}`,
};

const isFound = ({ variable }: ProxyKind): boolean => process.env[variable] !== undefined;

/** The proxies that `npm run test:proxies` has found. */
export const PROXY_KINDS = [nginx, haproxy, apache, caddy, varnish].filter(isFound);

/** Those of them that have a configuration for several instances in docs/operating.md. */
export const BALANCERS = [wholeNginx, haproxy].filter(isFound);

/** A proxy that is told to compress. */
export interface Compression {
  readonly name: string;
  readonly what: string;
  readonly kind: ProxyKind;
  /** Further lines of its configuration. */
  readonly lines: string;
  /** What the client takes. */
  readonly accept: string;
  /** What the proxy makes of it; `null`: it leaves the stream as it is. */
  readonly encoding: string | null;
}

const COMPRESSED: readonly Omit<Compression, 'name'>[] = [
  {
    kind: nginx,
    what: 'gzip',
    lines: 'gzip on; gzip_proxied any; gzip_types text/event-stream;',
    accept: 'gzip',
    encoding: 'gzip',
  },
  {
    kind: nginx,
    what: 'brotli',
    lines: 'brotli on; brotli_types text/event-stream;',
    accept: 'br',
    encoding: 'br',
  },
  {
    kind: apache,
    what: 'mod_deflate',
    lines: 'AddOutputFilterByType DEFLATE text/event-stream',
    accept: 'gzip',
    encoding: 'gzip',
  },
  // It is the last section of the configuration that the lines belong to: the backend.
  {
    kind: haproxy,
    what: 'compression',
    lines: 'compression algo gzip\ncompression type text/event-stream',
    accept: 'gzip',
    encoding: null,
  },
];

export const COMPRESSIONS: readonly Compression[] = COMPRESSED.filter(
  ({ kind, what }) => isFound(kind) && (what !== 'brotli' || hasBrotli),
).map((compression) => ({ name: compression.kind.name, ...compression }));
