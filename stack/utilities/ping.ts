/**
 * ping: echo requests and the statistics of their replies, after NetBSD's ping(8); messages per RFC 792.
 */
import { Buffer } from 'node:buffer';
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { refreshNow, wallClock } from '../runtime/clock.ts';
import { ERRNO, SystemError, strerror } from '../runtime/messages/errno.ts';
import {
  AF_INET,
  IPPROTO_ICMP,
  IPPROTO_IP,
  IP_HDRINCL,
  IP_TTL,
  SOCK_RAW,
  SOL_SOCKET,
  SO_BROADCAST,
  SO_RCVBUF,
  SO_SNDBUF,
} from '../runtime/messages/request.ts';
import { sleepNs } from '../runtime/timers.ts';
import { inetNtoa } from '../socket/inet.ts';
import * as libsocket from '../socket/libsocket.ts';
import { hostByAddress, hostByName } from '../socket/netdb.ts';
import { CommandError, command, numberOption } from './command.ts';
import type { Arguments } from './command.ts';
import {
  ICMP_ECHOREPLY,
  dontFragmentHeader,
  echoRequest,
  icmpErrorText,
  parseIcmp,
  parseIp,
} from './icmp-packet.ts';
import type { IcmpMessage, IpPacket } from './icmp-packet.ts';
import { createPingStatistics } from './ping-statistics.ts';
import type { PingStatistics } from './ping-statistics.ts';

const SECOND = 1e9;
const MS = 1e6;
const DEFAULT_TTL = 255;
const DEFAULT_BYTES = 56;
/** 65,535 less the IP and ICMP headers. */
const LARGEST_DATA = 65_507;
const TIMESTAMP_BYTES = 8;
/** After the last request: how long to wait when nothing has come back yet, ns. */
const LONGEST_LINGER = 10 * SECOND;
const FLOOD_INTERVAL = 10 * MS;
const LARGEST_PACKET = 65_535;
const SPACE_FOR_HEADERS = 1024;

interface Options {
  readonly count: number;
  readonly interval: number;
  readonly size: number;
  readonly ttl: number;
  /** ns after which ping ends, Infinity for none. */
  readonly deadline: number;
  /** ns to wait for the last replies; undefined: BSD's rule. */
  readonly linger: number | undefined;
  readonly quiet: boolean;
  readonly numeric: boolean;
  readonly flood: boolean;
  readonly dontFragment: boolean;
  readonly once: boolean;
}

interface Session {
  readonly self: Process;
  readonly fd: number;
  readonly host: string;
  readonly address: number;
  readonly id: number;
  readonly options: Options;
  readonly statistics: PingStatistics;
  /** Ends every wait of the sender: interrupted, all replies in, or the receiver failed. */
  readonly stop: AbortController;
}

function readOptions(args: Arguments): Options {
  const seconds = (letter: string, fallback: number, min = 0): number =>
    numberOption(args, letter, { min, max: 1e6, fallback, whole: false }) * SECOND;
  const flood = args.has('f');
  if (flood && !args.has('c') && !args.has('w')) {
    throw new UsageError('-f needs an end: give a count with -c or a time with -w');
  }
  const ttl = numberOption(args, 'T', { min: 1, max: 255, fallback: DEFAULT_TTL });
  return {
    count: numberOption(args, 'c', { min: 1, max: 1e9, fallback: Infinity }),
    interval: flood ? FLOOD_INTERVAL : seconds('i', 1, 0.001),
    size: numberOption(args, 's', { min: 0, max: LARGEST_DATA, fallback: DEFAULT_BYTES }),
    ttl: numberOption(args, 't', { min: 1, max: 255, fallback: ttl }),
    deadline: seconds('w', Infinity),
    linger: args.has('W') ? seconds('W', 0) : undefined,
    quiet: args.has('q'),
    numeric: args.has('n'),
    flood,
    dontFragment: args.has('D'),
    once: args.has('o'),
  };
}

async function openSocket(self: Process, options: Options): Promise<number> {
  const fd = await libsocket.socket(self, AF_INET, SOCK_RAW, IPPROTO_ICMP);
  if (options.dontFragment) await libsocket.setsockopt(self, fd, IPPROTO_IP, IP_HDRINCL, 1);
  else await libsocket.setsockopt(self, fd, IPPROTO_IP, IP_TTL, options.ttl);
  await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_BROADCAST, 1);
  const room = Math.max(49_152, 2 * (options.size + SPACE_FOR_HEADERS));
  await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_RCVBUF, room);
  await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_SNDBUF, room);
  return fd;
}

/** Data of a request: the time it was sent, as far as there is room, then BSD's counting pattern. */
function echoData(size: number, sent: number): Buffer {
  const data = Buffer.alloc(size);
  for (let i = 0; i < size; i++) data[i] = i & 255;
  if (size < TIMESTAMP_BYTES) return data;
  const microseconds = wallClock(sent) / 1000n;
  data.writeUInt32BE(Number(microseconds / 1_000_000n) >>> 0, 0);
  data.writeUInt32BE(Number(microseconds % 1_000_000n), 4);
  return data;
}

async function sendOne(session: Session): Promise<void> {
  const { self, fd, address, options, statistics } = session;
  const time = refreshNow();
  const sequence = statistics.sent(time);
  const message = echoRequest(session.id, sequence, echoData(options.size, time));
  const packet = options.dontFragment
    ? Buffer.concat([dontFragmentHeader(address, options.ttl, message.length), message])
    : message;
  try {
    await libsocket.sendto(self, fd, packet, { address, port: 0 });
    if (options.flood && !options.quiet) await self.stdout.write('.');
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno === ERRNO.EINTR) throw error;
    if (!options.quiet) await self.stderr.write(`ping: sendto: ${strerror(error.errno)}\n`);
  }
}

/** Waits `ns`, less when the session is to stop. */
async function pause(session: Session, ns: number): Promise<void> {
  if (session.stop.signal.aborted) return;
  try {
    await sleepNs(ns, session.stop.signal);
  } catch (error) {
    if (!session.stop.signal.aborted) throw error;
  }
}

async function transmit(session: Session): Promise<void> {
  const { options, statistics, stop } = session;
  const end = refreshNow() + options.deadline;
  for (;;) {
    await sendOne(session);
    const left = end - refreshNow();
    if (statistics.transmitted >= options.count) {
      await pause(session, Math.min(left, lingerTime(session)));
      return;
    }
    await pause(session, Math.min(left, options.interval));
    if (stop.signal.aborted || end <= refreshNow()) return;
  }
}

/** NetBSD waits twice the longest round trip (a second at least) for the rest, or ten seconds when there was no reply at all. */
function lingerTime({ options, statistics }: Session): number {
  if (options.linger !== undefined) return options.linger;
  return statistics.received > 0 ? Math.max(SECOND, 2 * statistics.longest * MS) : LONGEST_LINGER;
}

async function receive(session: Session): Promise<void> {
  const { self, fd, options, statistics, stop } = session;
  for (;;) {
    const { data } = await libsocket.recvfrom(self, fd, LARGEST_PACKET);
    const packet = parseIp(data);
    const message = packet === undefined ? undefined : parseIcmp(packet.data);
    if (packet === undefined || message === undefined) continue;
    if (message.type === ICMP_ECHOREPLY) await onReply(session, packet, message);
    else await onError(session, packet, message);
    if (statistics.received >= options.count || (options.once && statistics.received > 0)) stop.abort();
  }
}

async function onReply(session: Session, packet: IpPacket, message: IcmpMessage): Promise<void> {
  const { self, id, options, statistics } = session;
  if (message.id !== id) return;
  const reply = statistics.reply(message.sequence, refreshNow());
  if (options.quiet || reply === undefined) return;
  if (options.flood) {
    await self.stdout.write('\b \b');
    return;
  }
  const time = message.data.length >= TIMESTAMP_BYTES ? ` time=${reply.ms.toFixed(3)} ms` : '';
  const from = `${packet.data.length} bytes from ${inetNtoa(packet.source)}`;
  const which = `icmp_seq=${reply.sequence} ttl=${packet.ttl}${time}${reply.duplicate ? ' (DUP!)' : ''}`;
  await self.stdout.write(`${from}: ${which}\n`);
}

async function onError(session: Session, packet: IpPacket, message: IcmpMessage): Promise<void> {
  const { self, address, id, options } = session;
  const text = icmpErrorText(message);
  const quoted = text === undefined ? undefined : parseIp(message.data);
  const ours = quoted === undefined ? undefined : parseIcmp(quoted.data);
  if (text === undefined || ours?.id !== id || quoted?.destination !== address || options.quiet) return;
  const name = options.numeric ? undefined : await hostByAddress(self, packet.source);
  const who = name === undefined ? inetNtoa(packet.source) : `${name} (${inetNtoa(packet.source)})`;
  await self.stdout.write(`${packet.data.length} bytes from ${who}: ${text} for icmp_seq=${ours.sequence}\n`);
}

async function exchange(session: Session): Promise<void> {
  const { self, fd, stop } = session;
  let failure: unknown;
  const receiving = receive(session).catch((error: unknown) => {
    if (!stop.signal.aborted) failure = error;
    stop.abort();
  });
  try {
    await transmit(session);
  } catch (error) {
    // Ctrl-C is the usual way to end ping: it prints its statistics then.
    if (!self.signal.aborted) throw error;
  } finally {
    stop.abort();
    await libsocket.close(self, fd);
    await receiving;
  }
  if (failure !== undefined && !self.signal.aborted) throw failure as Error;
}

async function run(self: Process, args: Arguments): Promise<number> {
  const [host, ...more] = args.operands;
  if (host === undefined) throw new UsageError('a host is missing');
  if (more.length > 0) throw new UsageError(`one host at a time; '${more[0]!}' is too much`);
  const options = readOptions(args);
  const address = await hostByName(self, host);
  if (address === undefined) throw new CommandError(`Cannot resolve "${host}" (Unknown host)`);
  const statistics = createPingStatistics();
  const stop = new AbortController();
  self.signal.addEventListener('abort', () => stop.abort(), { once: true });
  const fd = await openSocket(self, options);
  const session = { self, fd, host, address, id: self.pid & 0xffff, options, statistics, stop };
  await self.stdout.write(`PING ${host} (${inetNtoa(address)}): ${options.size} data bytes\n`);
  await exchange(session);
  await self.stdout.write(statistics.summary(host, options.size >= TIMESTAMP_BYTES));
  return statistics.received > 0 ? 0 : 1;
}

export const ping = command({
  name: 'ping',
  usage: '[-Dfnoq] [-c count] [-i interval] [-s size] [-t ttl] [-w deadline] [-W wait] host',
  summary: 'send ICMP echo requests to a host',
  options: 'Dfnoqc:i:s:t:T:w:W:',
  run,
});
