/**
 * Node's http over a node's sockets: an Agent whose connections are SocketDuplexes, and a loop that hands accepted connections to an http.Server.
 */
import http from 'node:http';
import type { Duplex } from 'node:stream';
import type { Process } from '../kernel/process.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { AF_INET, IPPROTO_TCP, SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR } from '../runtime/messages/request.ts';
import { SocketDuplex } from './duplex.ts';
import * as libsocket from './libsocket.ts';
import type { SockaddrIn } from './libsocket.ts';

const HTTP_PORT = 80;

class LabAgent extends http.Agent {
  readonly #proc: Process;

  constructor(proc: Process, options: http.AgentOptions) {
    super(options);
    this.#proc = proc;
  }

  override createConnection(options: { host?: string | null; port?: number | string | null }): Duplex {
    return new SocketDuplex(this.#proc).connect({
      host: options.host ?? 'localhost',
      port: Number(options.port ?? HTTP_PORT),
    });
  }
}

/** An http.Agent whose connections are made by `proc`, on its node: `http.get(url, { agent: httpAgent(proc) })`. */
export function httpAgent(proc: Process, options: http.AgentOptions = {}): http.Agent {
  return new LabAgent(proc, options);
}

/** Makes a listening stream socket, with SO_REUSEADDR as servers have it. */
export async function listenOn(proc: Process, local: SockaddrIn, backlog: number): Promise<number> {
  const fd = await libsocket.socket(proc, AF_INET, SOCK_STREAM, IPPROTO_TCP);
  await libsocket.setsockopt(proc, fd, SOL_SOCKET, SO_REUSEADDR, 1);
  await libsocket.bind(proc, fd, local);
  await libsocket.listen(proc, fd, backlog);
  return fd;
}

const BACKLOG = 128;

/**
 * Serves with an http.Server on a port of the process's node until the process is interrupted. The server's own wall-clock time-outs are
 * switched off: time belongs to the lab.
 * @throws SystemError EADDRINUSE ... from bind; EINTR at the end
 */
export async function serveHttp(proc: Process, server: http.Server, local: SockaddrIn): Promise<never> {
  server.timeout = 0;
  server.keepAliveTimeout = 0;
  server.headersTimeout = 0;
  server.requestTimeout = 0;
  const listening = await listenOn(proc, local, BACKLOG);
  const open = new Set<SocketDuplex>();
  try {
    for (;;) await acceptInto(proc, server, listening, open);
  } finally {
    for (const connection of open) connection.destroy();
  }
}

async function acceptInto(
  proc: Process,
  server: http.Server,
  listening: number,
  open: Set<SocketDuplex>,
): Promise<void> {
  const connection = await nextConnection(proc, listening);
  if (connection === undefined) return;
  open.add(connection);
  connection.once('close', () => open.delete(connection));
  server.emit('connection', connection);
}

/** The next connection; undefined if its peer had reset it before it could be taken: no reason to stop serving. */
async function nextConnection(proc: Process, listening: number): Promise<SocketDuplex | undefined> {
  let fd = -1;
  try {
    const accepted = await libsocket.accept(proc, listening);
    fd = accepted.fd;
    const local = await libsocket.getsockname(proc, fd);
    return new SocketDuplex(proc, { fd, local, remote: accepted.from });
  } catch (error) {
    if (fd >= 0) await libsocket.close(proc, fd);
    const reset = error instanceof SystemError && (fd >= 0 || error.errno === ERRNO.ECONNABORTED);
    if (reset && !proc.signal.aborted) return undefined;
    throw error;
  }
}
