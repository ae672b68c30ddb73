/**
 * httpd: a web server on a node: Node's own http server over the node's sockets. It serves a directory of the node's file system, takes
 * uploads, and streams as many bytes as asked for (`/bytes/N`), for tests of transfers.
 */
import { Buffer } from 'node:buffer';
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as files from '../kernel/files.ts';
import { O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } from '../kernel/io-message.ts';
import { normalizePath } from '../kernel/path-space.ts';
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { serveHttp } from '../socket/http-adapter.ts';
import { INADDR_ANY } from '../socket/inet.ts';
import { digestBody } from './body-digest.ts';
import { command, numberOption } from './command.ts';
import type { Arguments } from './command.ts';
import { httpDateNow } from './http-date.ts';

const HTML = 'text/html; charset=utf-8';
const PLAIN = 'text/plain; charset=utf-8';
const BINARY = 'application/octet-stream';
const CONTENT_TYPES = new Map([
  ['html', HTML],
  ['htm', HTML],
  ['txt', PLAIN],
  ['css', 'text/css; charset=utf-8'],
  ['js', 'text/javascript; charset=utf-8'],
  ['json', 'application/json'],
  ['svg', 'image/svg+xml'],
  ['png', 'image/png'],
]);
const DEFAULT_ROOT = '/var/www';

/** What `/bytes/N` sends: byte i is i modulo 251, a prime, so that shifted or swapped segments show. */
const PATTERN_MODULUS = 251;
const PATTERN_BYTES = PATTERN_MODULUS * 1024;
const LARGEST_STREAM = 2 ** 40;

interface Site {
  readonly self: Process;
  /** Document root, absolute. */
  readonly root: string;
  readonly pattern: Buffer;
}

/** A response other than success, with a line of text for the user. */
class HttpProblem extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.name = 'HttpProblem';
    this.status = status;
  }
}

function makePattern(): Buffer {
  const pattern = Buffer.alloc(PATTERN_BYTES);
  for (let i = 0; i < PATTERN_BYTES; i++) pattern[i] = i % PATTERN_MODULUS;
  return pattern;
}

function* patternBytes(pattern: Buffer, count: number): Generator<Buffer> {
  for (let left = count; left > 0; left -= pattern.length) {
    yield left >= pattern.length ? pattern : pattern.subarray(0, left);
  }
}

function defaultPage(node: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>${node}</title></head>
<body>
<h1>${node}</h1>
<p>This is node ${node}. Its document root is empty.</p>
</body>
</html>
`;
}

/** Path of a request below the document root; the query is not used. */
function pathOf(request: IncomingMessage): string {
  const target = (request.url ?? '/').split(/[?#]/, 1)[0]!;
  try {
    const path = decodeURIComponent(target);
    if (path.startsWith('/') && !path.includes('\0')) return normalizePath('/', path);
  } catch {
    // Percent signs that encode nothing: refused below like other bad targets.
  }
  throw new HttpProblem(400, `${target} is not a path`);
}

async function sendText(response: ServerResponse, status: number, type: string, text: string): Promise<void> {
  const body = Buffer.from(text);
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length });
  await pipeline(Readable.from(response.req.method === 'HEAD' ? [] : [body]), response);
}

async function sendPattern(site: Site, response: ServerResponse, digits: string): Promise<void> {
  const count = Number(digits);
  if (!/^\d+$/.test(digits) || count > LARGEST_STREAM) {
    throw new HttpProblem(404, `/bytes/N needs a number of bytes up to ${LARGEST_STREAM}, not '${digits}'`);
  }
  response.writeHead(200, { 'Content-Type': BINARY, 'Content-Length': count });
  const sent = response.req.method === 'HEAD' ? 0 : count;
  await pipeline(
    Readable.from(patternBytes(site.pattern, sent), { objectMode: true, highWaterMark: 1 }),
    response,
  );
}

async function* fileChunks(self: Process, fd: number): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = await files.read(self, fd);
    if (chunk.length === 0) return;
    yield chunk;
  }
}

/** The file that a path names; a directory stands for its index.html. Undefined: the empty document root itself. */
async function findFile(site: Site, path: string): Promise<string | undefined> {
  const { self, root } = site;
  const name = normalizePath(root, `.${path}`);
  try {
    if ((await files.stat(self, name)).kind !== 'directory') return name;
    const index = normalizePath(name, 'index.html');
    if (await files.exists(self, index)) return index;
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno === ERRNO.EINTR) throw error;
  }
  if (path === '/') return undefined;
  throw new HttpProblem(404, `${path} is not here`);
}

async function sendFile(site: Site, response: ServerResponse, path: string): Promise<void> {
  const { self } = site;
  const name = await findFile(site, path);
  if (name === undefined) {
    await sendText(response, 200, HTML, defaultPage(self.node.name));
    return;
  }
  const fd = await files.open(self, name, O_RDONLY);
  try {
    const { size } = await files.fstat(self, fd);
    const type = CONTENT_TYPES.get(name.slice(name.lastIndexOf('.') + 1).toLowerCase()) ?? BINARY;
    response.writeHead(200, { 'Content-Type': type, 'Content-Length': size });
    await pipeline(Readable.from(response.req.method === 'HEAD' ? [] : fileChunks(self, fd)), response);
  } finally {
    await files.close(self, fd);
  }
}

async function storeFile(site: Site, request: IncomingMessage, path: string): Promise<string> {
  const { self, root } = site;
  const fd = await files.open(self, normalizePath(root, `.${path}`), O_WRONLY | O_CREAT | O_TRUNC);
  try {
    return await digestBody(request, (chunk) => files.write(self, fd, chunk));
  } finally {
    await files.close(self, fd);
  }
}

async function respond(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = pathOf(request);
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      if (path.startsWith('/bytes/')) return sendPattern(site, response, path.slice('/bytes/'.length));
      return sendFile(site, response, path);
    case 'POST':
      return sendText(response, 200, PLAIN, `${await digestBody(request, () => undefined)}\n`);
    case 'PUT':
      return sendText(response, 201, PLAIN, `${await storeFile(site, request, path)}\n`);
    default:
      response.setHeader('Allow', 'GET, HEAD, POST, PUT');
      throw new HttpProblem(405, `${request.method ?? ''} is not offered; GET, HEAD, POST and PUT are`);
  }
}

function statusOf(error: unknown): number {
  if (error instanceof HttpProblem) return error.status;
  if (!(error instanceof SystemError)) return 500;
  if (error.errno === ERRNO.ENOSPC) return 507;
  const conflicts = [ERRNO.EISDIR, ERRNO.ENOTDIR, ERRNO.ENOENT] as readonly number[];
  return conflicts.includes(error.errno) ? 409 : 500;
}

async function handle(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.sendDate = false;
  response.setHeader('Date', httpDateNow());
  response.setHeader('Server', 'httpd');
  try {
    await respond(site, request, response);
  } catch (error) {
    if (response.headersSent || response.destroyed) {
      // Part of the answer is on its way: only a broken connection can say that the rest is missing.
      response.destroy();
      return;
    }
    const text = error instanceof Error ? error.message : String(error);
    const status = statusOf(error);
    await sendText(response, status, PLAIN, `${status} ${text}\n`).catch(() => undefined);
    // A body that nobody will read would be taken for the next request.
    if (!request.complete) request.destroy();
  }
}

async function logRequest(self: Process, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const who = request.socket.remoteAddress ?? '-';
  const length = String(response.getHeader('content-length') ?? '-');
  const line = `"${request.method ?? ''} ${request.url ?? ''} HTTP/${request.httpVersion}"`;
  await self.stdout.write(`${who} ${line} ${response.statusCode} ${length}\n`);
}

/** The directory to serve; the default one is made where it is missing. */
async function documentRoot(self: Process, given: string | undefined): Promise<string> {
  const root = normalizePath(self.cwd, given ?? DEFAULT_ROOT);
  if (given === undefined) {
    for (let end = root.indexOf('/', 1); ; end = root.indexOf('/', end + 1)) {
      const directory = end < 0 ? root : root.slice(0, end);
      if (!(await files.exists(self, directory))) await files.mkdir(self, directory);
      if (end < 0) return root;
    }
  }
  if ((await files.stat(self, root)).kind === 'directory') return root;
  throw new SystemError(ERRNO.ENOTDIR, given);
}

async function run(self: Process, args: Arguments): Promise<number> {
  if (args.operands.length > 0) throw new UsageError(`'${args.operands[0]!}' is too much`);
  const port = numberOption(args, 'p', { min: 1, max: 65_535, fallback: 80 });
  const site = { self, root: await documentRoot(self, args.value('d')), pattern: makePattern() };
  const server = http.createServer((request, response) => {
    const work = handle(site, request, response);
    const done = args.has('v') ? work.then(() => logRequest(self, request, response)) : work;
    done.catch(() => response.destroy());
  });
  return serveHttp(self, server, { address: INADDR_ANY, port });
}

export const httpd = command({
  name: 'httpd',
  usage: '[-v] [-p port] [-d root]',
  summary: 'serve files, uploads and /bytes/N over HTTP',
  options: 'vp:d:',
  run,
});
