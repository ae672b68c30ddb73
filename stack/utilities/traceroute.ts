/**
 * traceroute: finds the routers on the way by sending probes whose TTL rises and printing who says it ran out, after NetBSD's traceroute(8).
 * Probes are UDP datagrams to unlikely ports, or echo requests with -I.
 */
import { Buffer } from 'node:buffer';
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { refreshNow } from '../runtime/clock.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import {
  AF_INET,
  IPPROTO_ICMP,
  IPPROTO_IP,
  IPPROTO_UDP,
  IP_TTL,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_SOCKET,
  SO_RCVTIMEO,
} from '../runtime/messages/request.ts';
import { INADDR_ANY, inetNtoa } from '../socket/inet.ts';
import * as libsocket from '../socket/libsocket.ts';
import { hostByAddress, hostByName } from '../socket/netdb.ts';
import { CommandError, command, numberIn, numberOption } from './command.ts';
import type { Arguments } from './command.ts';
import {
  ICMP_ECHOREPLY,
  ICMP_HEADER_BYTES,
  ICMP_TIMXCEED,
  ICMP_UNREACH,
  echoRequest,
  parseIcmp,
  parseIp,
} from './icmp-packet.ts';
import type { IcmpMessage } from './icmp-packet.ts';

const MS = 1e6;
const FIRST_PORT = 33_434;
const HEADERS_BYTES = 28;
const DEFAULT_PACKET = 40;
const LARGEST_PACKET = 65_535;
const ICMP_UNREACH_PORT = 3;

interface Trace {
  readonly self: Process;
  readonly address: number;
  readonly icmp: boolean;
  readonly numeric: boolean;
  readonly queries: number;
  readonly maxTtl: number;
  /** ms to wait for the answer to one probe. */
  readonly wait: number;
  readonly port: number;
  readonly packetBytes: number;
  /** Identification of echo requests, source port of UDP probes. */
  readonly ident: number;
  /** Where answers arrive. */
  readonly raw: number;
  /** Where probes leave: `raw` itself with -I. */
  readonly probe: number;
  sequence: number;
}

/** An answer to a probe. */
interface Answer {
  readonly from: number;
  readonly ms: number;
  readonly message: IcmpMessage;
}

async function sendProbe(trace: Trace): Promise<void> {
  const { self, address, icmp, ident, probe, port, packetBytes, sequence } = trace;
  const data = Buffer.alloc(packetBytes - HEADERS_BYTES);
  if (icmp) await libsocket.sendto(self, probe, echoRequest(ident, sequence, data), { address, port: 0 });
  else await libsocket.sendto(self, probe, data, { address, port: port + sequence });
}

/** Whether an ICMP message is about the probe that was sent last. */
function isAnswer(trace: Trace, message: IcmpMessage): boolean {
  const { icmp, ident, sequence } = trace;
  if (icmp && message.type === ICMP_ECHOREPLY) return message.id === ident && message.sequence === sequence;
  if (message.type !== ICMP_TIMXCEED && message.type !== ICMP_UNREACH) return false;
  const quoted = parseIp(message.data);
  if (
    quoted === undefined ||
    quoted.destination !== trace.address ||
    quoted.data.length < ICMP_HEADER_BYTES
  ) {
    return false;
  }
  if (icmp) {
    const request = quoted.protocol === IPPROTO_ICMP ? parseIcmp(quoted.data) : undefined;
    return request?.id === ident && request.sequence === sequence;
  }
  const [source, destination] = [quoted.data.readUInt16BE(0), quoted.data.readUInt16BE(2)];
  return quoted.protocol === IPPROTO_UDP && source === ident && destination === trace.port + sequence;
}

/** Waits for the answer to the last probe; undefined when none came in time. */
async function awaitAnswer(trace: Trace, sent: number): Promise<Answer | undefined> {
  const { self, raw, wait } = trace;
  for (;;) {
    const left = Math.ceil(wait - (refreshNow() - sent) / MS);
    if (left <= 0) return undefined;
    await libsocket.setsockopt(self, raw, SOL_SOCKET, SO_RCVTIMEO, left);
    try {
      const { data } = await libsocket.recvfrom(self, raw, LARGEST_PACKET);
      const packet = parseIp(data);
      const message = packet === undefined ? undefined : parseIcmp(packet.data);
      if (packet === undefined || message === undefined || !isAnswer(trace, message)) continue;
      return { from: packet.source, ms: (refreshNow() - sent) / MS, message };
    } catch (error) {
      if (error instanceof SystemError && error.errno === ERRNO.EAGAIN) return undefined;
      throw error;
    }
  }
}

const UNREACHABLE_MARKS = [
  '!N',
  '!H',
  '!P',
  '',
  '!F',
  '!S',
  '!U',
  '!W',
  '!I',
  '!A',
  '!Z',
  '!Q',
  '!T',
  '!X',
  '!V',
  '!C',
];

/** What is printed behind the time of an unreachable message, as traceroute(8) lists. */
export function unreachableMark(code: number, nextMtu: number): string {
  if (code === 4 && nextMtu > 0) return `!F-${nextMtu}`;
  return UNREACHABLE_MARKS[code] ?? `!<${code}>`;
}

async function hostText(trace: Trace, address: number): Promise<string> {
  const quad = inetNtoa(address);
  if (trace.numeric) return quad;
  return `${(await hostByAddress(trace.self, address)) ?? quad} (${quad})`;
}

/** Probes one TTL; says whether the way ends here: the host itself answered, or everything is unreachable. */
async function probeHop(trace: Trace, ttl: number): Promise<boolean> {
  const { self, queries, probe } = trace;
  await self.stdout.write(`${String(ttl).padStart(2)} `);
  await libsocket.setsockopt(self, probe, IPPROTO_IP, IP_TTL, ttl);
  let last: number | undefined;
  let arrived = false;
  let unreachable = 0;
  for (let query = 0; query < queries; query++) {
    trace.sequence++;
    const sent = refreshNow();
    await sendProbe(trace);
    const answer = await awaitAnswer(trace, sent);
    if (answer === undefined) {
      await self.stdout.write(' *');
      continue;
    }
    const { from, ms, message } = answer;
    if (from !== last) await self.stdout.write(` ${await hostText(trace, from)}`);
    last = from;
    const isError = message.type === ICMP_UNREACH;
    const mark = isError ? unreachableMark(message.code, message.nextMtu) : '';
    await self.stdout.write(`  ${ms.toFixed(3)} ms${mark === '' ? '' : ` ${mark}`}`);
    if (message.type === ICMP_ECHOREPLY || (isError && message.code === ICMP_UNREACH_PORT)) arrived = true;
    else if (isError) unreachable++;
  }
  await self.stdout.write('\n');
  return arrived || (unreachable >= queries - 1 && unreachable > 0);
}

async function openProbe(self: Process, raw: number, icmp: boolean, ident: number): Promise<number> {
  if (icmp) return raw;
  const fd = await libsocket.socket(self, AF_INET, SOCK_DGRAM, IPPROTO_UDP);
  await libsocket.bind(self, fd, { address: INADDR_ANY, port: ident });
  return fd;
}

async function run(self: Process, args: Arguments): Promise<number> {
  const [host, size, ...more] = args.operands;
  if (host === undefined) throw new UsageError('a host is missing');
  if (more.length > 0) throw new UsageError(`'${more[0]!}' is too much`);
  const packetBytes =
    size === undefined ? DEFAULT_PACKET : numberIn(size, 'packet size', HEADERS_BYTES, LARGEST_PACKET);
  const maxTtl = numberOption(args, 'm', { min: 1, max: 255, fallback: 30 });
  const firstTtl = numberOption(args, 'f', { min: 1, max: maxTtl, fallback: 1 });
  const address = await hostByName(self, host);
  if (address === undefined) throw new CommandError(`unknown host ${host}`);
  const icmp = args.has('I');
  const ident = (self.pid & 0x7fff) | 0x8000;
  const raw = await libsocket.socket(self, AF_INET, SOCK_RAW, IPPROTO_ICMP);
  const trace: Trace = {
    self,
    address,
    icmp,
    numeric: args.has('n'),
    queries: numberOption(args, 'q', { min: 1, max: 100, fallback: 3 }),
    maxTtl,
    wait: 1000 * numberOption(args, 'w', { min: 0.001, max: 86_400, fallback: 5, whole: false }),
    port: numberOption(args, 'p', { min: 1, max: 60_000, fallback: FIRST_PORT }),
    packetBytes,
    ident,
    raw,
    probe: await openProbe(self, raw, icmp, ident),
    sequence: 0,
  };
  const to = `${host} (${inetNtoa(address)})`;
  await self.stdout.write(`traceroute to ${to}, ${maxTtl} hops max, ${packetBytes} byte packets\n`);
  for (let ttl = firstTtl; ttl <= maxTtl; ttl++) if (await probeHop(trace, ttl)) return 0;
  return 0;
}

export const traceroute = command({
  name: 'traceroute',
  usage: '[-In] [-f first_ttl] [-m max_ttl] [-p port] [-q nqueries] [-w wait] host [packetsize]',
  summary: 'print the routers on the way to a host',
  options: 'Inf:m:p:q:w:',
  run,
});
