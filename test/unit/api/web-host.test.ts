/** The web host lets in only its own pages, with the token, from this machine. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startWebHost, type WebHost } from '../../../main/web/web-host.ts';
import { createSampleHost } from './sample-host.ts';

let folder: string;
let web: WebHost;
let token: string;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stackscope-web-'));
  await mkdir(join(folder, 'renderer', 'assets'), { recursive: true });
  await writeFile(join(folder, 'secret.txt'), 'outside');
  await writeFile(join(folder, 'renderer', 'index.html'), '<title>Stackscope</title>');
  await writeFile(join(folder, 'renderer', 'assets', 'app.js'), 'export {};');
  await writeFile(join(folder, 'renderer', 'notes.unknown'), 'no type, not served');
  web = await startWebHost({ host: createSampleHost(), rendererFolder: join(folder, 'renderer') });
  token = new URL(web.url).searchParams.get('token') ?? '';
});

afterAll(async () => {
  await web.close();
  await rm(folder, { recursive: true });
});

/** The path goes to the wire exactly as given; no client library tidies it. */
function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: web.port, path, method, headers }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

const cookie = (): string => `stackscope-${web.port}=${token}`;
const origin = (): string => `http://127.0.0.1:${web.port}`;

describe('the page', () => {
  it('is had with the token of the printed address, which becomes a cookie', async () => {
    const first = await get(`/?token=${token}`);
    expect(first).toMatchObject({ status: 303, headers: { location: '/' } });
    const [setCookie] = [first.headers['set-cookie']].flat();
    expect(setCookie).toMatch(/HttpOnly; SameSite=Strict$/);
    const page = await get('/', { cookie: setCookie?.split(';')[0] ?? '' });
    expect(page).toMatchObject({ status: 200, body: '<title>Stackscope</title>' });
  });

  it.each([
    ['none', '/', {}],
    ['a wrong one', `/?token=${'x'.repeat(32)}`, {}],
    ['an empty one', '/?token=', {}],
    ['a wrong cookie', '/', { cookie: 'stackscope=1; a=b' }],
    ['none for an asset', '/assets/app.js', {}],
  ])('is refused with %s', async (_case, path, headers) => {
    const answer = await get(path, headers);
    expect(answer.status).toBe(403);
    expect(answer.body).toContain('The token is missing or wrong');
  });

  it('has a new token in every host', async () => {
    const other = await startWebHost({ host: createSampleHost(), rendererFolder: join(folder, 'renderer') });
    await other.close();
    expect(new URL(other.url).searchParams.get('token')).not.toBe(token);
    expect(token.length).toBeGreaterThanOrEqual(32);
  });

  it.each(['evil.example', 'evil.example:80', '127.0.0.1', '127.0.0.1:1', '[::1]'])(
    'is refused to Host %s, whatever the token',
    async (host) => {
      expect((await get('/', { host, cookie: cookie() })).status).toBe(403);
    },
  );

  it.each(['http://evil.example', 'null', 'http://127.0.0.1:1', 'https://localhost'])(
    'is refused to Origin %s, whatever the token',
    async (from) => {
      expect((await get('/', { origin: from, cookie: cookie() })).status).toBe(403);
    },
  );

  it('carries a policy without inline or evaluated script, and is never framed or sniffed', async () => {
    const { headers } = await get('/', { cookie: cookie() });
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'; script-src 'self';");
    expect(policy).not.toContain('unsafe-eval');
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
  });

  it('is read only', async () => {
    expect((await get('/', { cookie: cookie() }, 'POST')).status).toBe(405);
    expect(await get('/', { cookie: cookie() }, 'HEAD')).toMatchObject({ status: 200, body: '' });
  });
});

describe('files', () => {
  it('of the renderer are served with their types', async () => {
    const asset = await get('/assets/app.js', { cookie: cookie() });
    expect(asset).toMatchObject({ status: 200, body: 'export {};' });
    expect(asset.headers['content-type']).toBe('text/javascript; charset=utf-8');
  });

  it.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%5c..%5csecret.txt',
    '//etc/passwd',
    '//',
    '/assets/app.js/',
    '/assets//app.js',
    '/notes.unknown',
    '/%00',
    '/assets',
    'http://127.0.0.1/secret.txt',
    '*',
  ])('are not had by %s', async (path) => {
    expect((await get(path, { cookie: cookie() })).status).toBe(404);
  });

  it('survives requests that are no HTTP', async () => {
    const socket = connect(web.port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.end('\x00\xff GET nonsense\r\n\r\n');
    await new Promise((resolve) => socket.on('close', resolve));
    expect((await get('/', { cookie: cookie() })).status).toBe(200);
  });
});

describe('the WebSocket', () => {
  function open(path: string, headers: Record<string, string>): Promise<WebSocket | number> {
    const socket = new WebSocket(`ws://127.0.0.1:${web.port}${path}`, { headers });
    return new Promise((resolve) => {
      socket.on('open', () => resolve(socket));
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      socket.on('error', () => undefined);
    });
  }

  it('serves the contract to the page', async () => {
    const socket = await open('/socket', { origin: origin(), cookie: cookie() });
    if (!(socket instanceof WebSocket)) throw new Error(`refused with ${socket}`);
    const answer = new Promise<string>((resolve) => {
      socket.on('message', (data: Buffer) => {
        if (data.toString().includes('"result"')) resolve(data.toString());
      });
    });
    socket.send(JSON.stringify({ id: 1, command: 'packets.points', params: {} }));
    expect(JSON.parse(await answer)).toEqual({ kind: 'result', id: 1, result: ['link:wire'] });
    socket.close();
  });

  it.each([
    ['without a token', '/socket', () => ({ origin: origin() })],
    ['with a wrong token', '/socket', () => ({ origin: origin(), cookie: `stackscope-${web.port}=wrong` })],
    ['without an Origin', '/socket', () => ({ cookie: cookie() })],
    ['from another Origin', '/socket', () => ({ origin: 'http://evil.example', cookie: cookie() })],
    ['to another Host', '/socket', () => ({ origin: origin(), cookie: cookie(), host: 'evil.example' })],
    ['at another path', '/', () => ({ origin: origin(), cookie: cookie() })],
  ])('is refused %s', async (_case, path, headers) => {
    expect(await open(path, headers())).toBe(403);
  });
});

it('says what to do when the port is taken', async () => {
  const starting = startWebHost({
    host: createSampleHost(),
    port: web.port,
    rendererFolder: join(folder, 'renderer'),
  });
  await expect(starting).rejects.toThrow(`port ${web.port} is in use; choose another with --port`);
});

it('says what to do when the renderer has not been built', async () => {
  const starting = startWebHost({ host: createSampleHost(), rendererFolder: join(folder, 'absent') });
  await expect(starting).rejects.toThrow('run "npm run build" first');
});

it('answers on the loopback address only', async () => {
  const refused = new Promise<string>((resolve) => {
    const socket = connect(web.port, '127.0.0.2');
    socket.on('connect', () => resolve('connected'));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'failed'));
  });
  expect(await refused).toBe('ECONNREFUSED');
});
