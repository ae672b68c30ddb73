/**
 * nc: reads and writes data across connections, after nc(1) of OpenBSD as NetBSD packages it.
 */
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { ERRNO, SystemError, strerror } from '../runtime/messages/errno.ts';
import {
  AF_INET,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_BROADCAST,
  SO_RCVTIMEO,
  SO_REUSEADDR,
  SO_SNDTIMEO,
} from '../runtime/messages/request.ts';
import { INADDR_ANY, inetNtoa } from '../socket/inet.ts';
import * as libsocket from '../socket/libsocket.ts';
import { hostByName, serviceByName, serviceByPort } from '../socket/netdb.ts';
import { CommandError, command, numberOption } from './command.ts';
import type { Arguments } from './command.ts';

/** Bytes of standard input that fit into one datagram. */
const DATAGRAM_BYTES = 16_384;

interface Options {
  readonly udp: boolean;
  readonly verbose: boolean;
  /** Only see whether somebody listens. */
  readonly scan: boolean;
  readonly readsInput: boolean;
  /** ms without traffic or for a connection to be made; 0: none. */
  readonly timeout: number;
  readonly local: libsocket.SockaddrIn;
}

async function resolve(self: Process, host: string): Promise<number> {
  const address = await hostByName(self, host);
  if (address === undefined) throw new CommandError(`${host}: host not found`);
  return address;
}

function portOf(text: string): number {
  const port = serviceByName(text);
  if (port === undefined || port === 0) {
    throw new UsageError(`port '${text}' is neither a number from 1 to 65535 nor a service's name`);
  }
  return port;
}

/** Ports of `80`, `http` or `20-25`. */
export function portRange(text: string): number[] {
  const match = /^(\d+)-(\d+)$/.exec(text);
  if (match === null) return [portOf(text)];
  const [low, high] = [portOf(match[1]!), portOf(match[2]!)].sort((a, b) => a - b) as [number, number];
  return Array.from({ length: high - low + 1 }, (_, i) => low + i);
}

async function openSocket(self: Process, { udp, timeout }: Options): Promise<number> {
  const [type, protocol] = udp ? [SOCK_DGRAM, IPPROTO_UDP] : [SOCK_STREAM, IPPROTO_TCP];
  const fd = await libsocket.socket(self, AF_INET, type, protocol);
  await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (udp) await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_BROADCAST, 1);
  if (timeout > 0) {
    await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_SNDTIMEO, timeout);
    await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_RCVTIMEO, timeout);
  }
  return fd;
}

/** Standard input to the socket, to its end; then the peer is told that there is no more. */
async function sendInput(self: Process, fd: number, options: Options, stop: AbortSignal): Promise<void> {
  for (;;) {
    const chunk = options.readsInput ? await self.stdin.read(stop) : undefined;
    if (chunk === undefined) break;
    const step = options.udp ? DATAGRAM_BYTES : chunk.length;
    for (let at = 0; at < chunk.length; at += step)
      await libsocket.send(self, fd, chunk.subarray(at, at + step));
  }
  if (!options.udp) await libsocket.shutdown(self, fd, SHUT_WR);
}

/** The socket to standard output, to the end of the stream or a time without traffic. */
async function receiveOutput(self: Process, fd: number, options: Options): Promise<void> {
  for (;;) {
    let data: Uint8Array;
    try {
      data = await libsocket.recv(self, fd, libsocket.MESSAGE_BYTES);
    } catch (error) {
      if (options.timeout > 0 && error instanceof SystemError && error.errno === ERRNO.EAGAIN) return;
      throw error;
    }
    if (data.length === 0 && !options.udp) return;
    await self.stdout.write(data);
  }
}

/** Carries data both ways until the peer has sent all. */
async function relay(self: Process, fd: number, options: Options): Promise<void> {
  const stop = new AbortController();
  const sending = sendInput(self, fd, options, AbortSignal.any([stop.signal, self.signal])).catch(
    (error: unknown) => {
      // The end of the other direction ends this one, and a peer that has closed needs no more.
      const expected = [ERRNO.EPIPE, ERRNO.ESHUTDOWN, ERRNO.ENOTCONN] as readonly number[];
      if (stop.signal.aborted || (error instanceof SystemError && expected.includes(error.errno))) return;
      throw error;
    },
  );
  // Together: either may fail first, and a killed nc fails at both.
  await Promise.all([receiveOutput(self, fd, options).finally(() => stop.abort()), sending]);
}

async function serve(self: Process, options: Options, keep: boolean): Promise<number> {
  const listening = await openListening(self, options);
  do {
    const fd = options.udp
      ? await awaitDatagram(self, listening, options)
      : await acceptOne(self, listening, options);
    if (!options.scan) await relay(self, fd, options);
    if (!options.udp) await libsocket.close(self, fd);
  } while (keep && !options.udp);
  return 0;
}

async function openListening(self: Process, options: Options): Promise<number> {
  const fd = await openSocket(self, { ...options, timeout: 0 });
  await libsocket.bind(self, fd, options.local);
  if (!options.udp) await libsocket.listen(self, fd, 5);
  return fd;
}

async function acceptOne(self: Process, listening: number, options: Options): Promise<number> {
  const { fd, from } = await libsocket.accept(self, listening);
  if (options.timeout > 0) await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_RCVTIMEO, options.timeout);
  if (options.verbose) {
    await self.stderr.write(`Connection from ${inetNtoa(from.address)} ${from.port} received!\n`);
  }
  return fd;
}

/** The first datagram says who the peer is. */
async function awaitDatagram(self: Process, fd: number, { timeout }: Options): Promise<number> {
  const { data, from } = await libsocket.recvfrom(self, fd, libsocket.MESSAGE_BYTES);
  await libsocket.connect(self, fd, from);
  if (timeout > 0) await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_RCVTIMEO, timeout);
  await self.stdout.write(data);
  return fd;
}

async function callPort(
  self: Process,
  host: string,
  address: number,
  port: number,
  options: Options,
): Promise<boolean> {
  const fd = await openSocket(self, options);
  const { local, udp } = options;
  if (local.port !== 0 || local.address !== INADDR_ANY) await libsocket.bind(self, fd, local);
  const protocol = udp ? 'udp' : 'tcp';
  try {
    await libsocket.connect(self, fd, { address, port });
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno === ERRNO.EINTR) throw error;
    await libsocket.close(self, fd);
    const late = error.errno === ERRNO.EAGAIN ? ERRNO.ETIMEDOUT : error.errno;
    if (options.verbose || !options.scan) {
      const what = `connect to ${host} port ${port} (${protocol}) failed: ${strerror(late)}`;
      await self.stderr.write(`nc: ${what}\n`);
    }
    return false;
  }
  if (options.verbose || options.scan) {
    const service = serviceByPort(port) ?? '*';
    await self.stderr.write(`Connection to ${host} ${port} port [${protocol}/${service}] succeeded!\n`);
  }
  if (!options.scan) await relay(self, fd, options);
  await libsocket.close(self, fd);
  return true;
}

async function call(
  self: Process,
  host: string,
  ports: readonly number[],
  options: Options,
): Promise<number> {
  const address = await resolve(self, host);
  let succeeded = false;
  for (const port of ports) if (await callPort(self, host, address, port, options)) succeeded = true;
  return succeeded ? 0 : 1;
}

async function readOptions(self: Process, args: Arguments): Promise<Options> {
  const source = args.value('s');
  const port = args.value('p');
  return {
    udp: args.has('u'),
    verbose: args.has('v'),
    scan: args.has('z'),
    readsInput: !args.has('d'),
    timeout: 1000 * numberOption(args, 'w', { min: 0.001, max: 86_400, fallback: 0, whole: false }),
    local: {
      address: source === undefined ? INADDR_ANY : await resolve(self, source),
      port: port === undefined ? 0 : portOf(port),
    },
  };
}

async function run(self: Process, args: Arguments): Promise<number> {
  const options = await readOptions(self, args);
  const { operands } = args;
  if (!args.has('l')) {
    const [host, ports, ...more] = operands;
    if (host === undefined || ports === undefined || more.length > 0)
      throw new UsageError('a host and a port are needed');
    return call(self, host, portRange(ports), options);
  }
  if (operands.length > 2) throw new UsageError(`'${operands[2]!}' is too much`);
  // `nc -l 80`, `nc -l 10.0.0.1 80` and the older `nc -l -p 80` are all in use.
  const port = options.local.port === 0 || operands.length === 2 ? operands.at(-1) : undefined;
  const host = port === undefined ? operands[0] : operands[operands.length - 2];
  const local = {
    address: host === undefined ? options.local.address : await resolve(self, host),
    port: port === undefined ? options.local.port : portOf(port),
  };
  if (local.port === 0) throw new UsageError('-l needs a port');
  return serve(self, { ...options, local }, args.has('k'));
}

export const nc = command({
  name: 'nc',
  usage:
    '[-dnuvz] [-p port] [-s source] [-w timeout] host port[-port]\n-l [-dkuv] [-w timeout] [host] [-p] port',
  summary: 'read and write data across connections',
  options: 'dklnuvzp:s:w:',
  usageStatus: 1,
  run,
});
