/**
 * ttcp: times a transfer over TCP or UDP between two nodes, with the options and lines of the classic ttcp(1).
 */
import { Buffer } from 'node:buffer';
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { refreshNow } from '../runtime/clock.ts';
import {
  AF_INET,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_SNDBUF,
  TCP_NODELAY,
} from '../runtime/messages/request.ts';
import { INADDR_ANY, inetNtoa } from '../socket/inet.ts';
import * as libsocket from '../socket/libsocket.ts';
import { hostByName } from '../socket/netdb.ts';
import { CommandError, command, numberOption } from './command.ts';
import type { Arguments } from './command.ts';

const DEFAULT_PORT = 5001;
/** A datagram this short or shorter starts and ends a transfer over UDP. */
const UDP_MARK_BYTES = 4;
const UDP_END_MARKS = 5;
const SECOND = 1e9;

interface Transfer {
  readonly self: Process;
  readonly fd: number;
  readonly udp: boolean;
  /** Pattern or nothing at this end instead of standard input and output. */
  readonly source: boolean;
  readonly bufferBytes: number;
  readonly buffers: number;
}

/** What a transfer took. */
export interface Tally {
  readonly bytes: number;
  /** Read or write calls. */
  readonly calls: number;
  readonly seconds: number;
}

/** The two closing lines; rates as -f asks: K or k for kilo, M or m, G or g; capitals are bytes, small letters bits. */
export function tallyLines(prefix: string, { bytes, calls, seconds }: Tally, unit: string): string {
  const real = Math.max(seconds, 1e-9);
  const scale = 1024 ** ('KMG'.indexOf(unit.toUpperCase()) + 1);
  const isBits = unit !== unit.toUpperCase();
  const rate = ((isBits ? 8 : 1) * bytes) / real / scale;
  const name = `${unit.toUpperCase()}${isBits ? 'bit' : 'B'}/sec`;
  const perCall = (1000 * real) / Math.max(calls, 1);
  return (
    `${prefix}: ${bytes} bytes in ${seconds.toFixed(2)} real seconds = ${rate.toFixed(2)} ${name} +++\n` +
    `${prefix}: ${calls} I/O calls, msec/call = ${perCall.toFixed(2)}, calls/sec = ${(calls / real).toFixed(2)}\n`
  );
}

/** The pattern that the source sends: printable characters over and over. */
function pattern(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i++) buffer[i] = 32 + (i % 95);
  return buffer;
}

/** Buffers of a stream are sent many at a time: the messages are what costs. */
async function sendPattern({
  self,
  fd,
  udp,
  bufferBytes,
  buffers,
}: Transfer): Promise<Omit<Tally, 'seconds'>> {
  const together = udp ? 1 : Math.max(1, Math.floor(libsocket.MESSAGE_BYTES / bufferBytes));
  const data = pattern(bufferBytes * Math.min(together, buffers));
  let calls = 0;
  for (let left = buffers; left > 0; left -= together) {
    await libsocket.send(self, fd, left >= together ? data : data.subarray(0, left * bufferBytes));
    calls++;
  }
  return { bytes: buffers * bufferBytes, calls };
}

async function sendInput({ self, fd, bufferBytes }: Transfer): Promise<Omit<Tally, 'seconds'>> {
  let bytes = 0;
  let calls = 0;
  for (;;) {
    const chunk = await self.stdin.read(self.signal);
    if (chunk === undefined) return { bytes, calls };
    for (let at = 0; at < chunk.length; at += bufferBytes) {
      await libsocket.send(self, fd, chunk.subarray(at, at + bufferBytes));
      calls++;
    }
    bytes += chunk.length;
  }
}

async function transmit(transfer: Transfer): Promise<Tally> {
  const { self, fd, udp, source } = transfer;
  const mark = Buffer.alloc(UDP_MARK_BYTES);
  const start = refreshNow();
  if (udp) await libsocket.send(self, fd, mark);
  const sent = source ? await sendPattern(transfer) : await sendInput(transfer);
  if (udp) for (let i = 0; i < UDP_END_MARKS; i++) await libsocket.send(self, fd, mark);
  else await awaitPeer(self, fd);
  return { ...sent, seconds: (refreshNow() - start) / SECOND };
}

/** The transfer is over when the receiver has seen the end and closes as well. */
async function awaitPeer(self: Process, fd: number): Promise<void> {
  await libsocket.shutdown(self, fd, SHUT_WR);
  const rest = new Uint8Array(libsocket.MESSAGE_BYTES);
  while ((await libsocket.recvInto(self, fd, rest)) > 0);
}

async function receive(transfer: Transfer): Promise<Tally> {
  const { self, fd, udp, source, bufferBytes } = transfer;
  let start = refreshNow();
  let bytes = 0;
  let calls = 0;
  const target = new Uint8Array(udp ? bufferBytes : libsocket.MESSAGE_BYTES);
  for (;;) {
    const length = await libsocket.recvInto(self, fd, target);
    if (udp && length <= UDP_MARK_BYTES) {
      if (bytes > 0) break;
      start = refreshNow();
      continue;
    }
    if (length === 0) break;
    calls++;
    bytes += length;
    // Whoever reads the output may keep it.
    if (!source) await self.stdout.write(target.slice(0, length));
  }
  return { bytes, calls, seconds: (refreshNow() - start) / SECOND };
}

async function openSocket(self: Process, args: Arguments): Promise<number> {
  const udp = args.has('u');
  const fd = await libsocket.socket(
    self,
    AF_INET,
    udp ? SOCK_DGRAM : SOCK_STREAM,
    udp ? IPPROTO_UDP : IPPROTO_TCP,
  );
  await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_REUSEADDR, 1);
  const bytes = numberOption(args, 'b', { min: 1, max: 2 ** 30, fallback: 0 });
  if (bytes > 0) {
    await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_SNDBUF, bytes);
    await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_RCVBUF, bytes);
  }
  if (args.has('D') && !udp) await libsocket.setsockopt(self, fd, IPPROTO_TCP, TCP_NODELAY, 1);
  return fd;
}

interface Roles {
  readonly self: Process;
  readonly prefix: string;
  readonly port: number;
}

async function awaitConnection({ self, prefix, port }: Roles, fd: number, udp: boolean): Promise<number> {
  await libsocket.bind(self, fd, { address: INADDR_ANY, port });
  if (udp) return fd;
  await libsocket.listen(self, fd, 1);
  const accepted = await libsocket.accept(self, fd);
  await self.stderr.write(`${prefix}: accept from ${inetNtoa(accepted.from.address)}\n`);
  return accepted.fd;
}

async function connectTo({ self, prefix, port }: Roles, fd: number, host: string): Promise<number> {
  const address = await hostByName(self, host);
  if (address === undefined) throw new CommandError(`bad hostname ${host}`);
  await libsocket.connect(self, fd, { address, port });
  await self.stderr.write(`${prefix}: connect\n`);
  return fd;
}

async function run(self: Process, args: Arguments): Promise<number> {
  const transmits = args.has('t');
  if (transmits === args.has('r')) throw new UsageError('give either -t or -r');
  const [host, ...more] = args.operands;
  if (transmits !== (host !== undefined) || more.length > 0) {
    throw new UsageError(transmits ? '-t needs one host' : '-r takes no host');
  }
  const unit = args.value('f') ?? 'K';
  if (!/^[kKmMgG]$/.test(unit)) throw new UsageError(`-f must be one of k, K, m, M, g, G, not '${unit}'`);
  const udp = args.has('u');
  const bufferBytes = numberOption(args, 'l', {
    min: udp ? UDP_MARK_BYTES + 1 : 1,
    max: 16_777_216,
    fallback: 8192,
  });
  const buffers = numberOption(args, 'n', { min: 1, max: 1e9, fallback: 2048 });
  const prefix = transmits ? 'ttcp-t' : 'ttcp-r';
  const roles = {
    self,
    prefix,
    port: numberOption(args, 'p', { min: 1, max: 65_535, fallback: DEFAULT_PORT }),
  };
  const what = `buflen=${bufferBytes}, nbuf=${buffers}, port=${roles.port}  ${udp ? 'udp' : 'tcp'}`;
  await self.stderr.write(`${prefix}: ${what}${host === undefined ? '' : `  -> ${host}`}\n`);
  const opened = await openSocket(self, args);
  await self.stderr.write(`${prefix}: socket\n`);
  const fd =
    host === undefined ? await awaitConnection(roles, opened, udp) : await connectTo(roles, opened, host);
  const transfer = { self, fd, udp, source: args.has('s'), bufferBytes, buffers };
  const tally = transmits ? await transmit(transfer) : await receive(transfer);
  const lines = tallyLines(prefix, tally, unit);
  // With data on standard output the figures must not mix with it.
  await (transmits || args.has('s') ? self.stdout : self.stderr).write(lines);
  return 0;
}

export const ttcp = command({
  name: 'ttcp',
  usage:
    '-t [-suD] [-l buflen] [-n numbufs] [-p port] [-b sockbuf] [-f unit] host [< in]\n' +
    '-r [-su] [-l buflen] [-p port] [-b sockbuf] [-f unit] [> out]',
  summary: 'time a transfer over TCP or UDP',
  options: 'trsuDl:n:p:b:f:',
  usageStatus: 1,
  run,
});
