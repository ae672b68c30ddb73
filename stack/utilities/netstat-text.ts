/**
 * Tables of netstat in the shape of NetBSD 4: interfaces, sockets, counters, memory.
 */
import { IFF } from '../runtime/messages/control.ts';
import type {
  BpfInfo,
  InterfaceInfo,
  PoolInfo,
  SocketInfo,
  ThreadInfo,
} from '../runtime/messages/control.ts';
import { networkText } from './address-text.ts';
import { inetAton, inetNtoa } from '../socket/inet.ts';
import { textTable } from './text-table.ts';
import type { Column } from './text-table.ts';

const right = (heading: string, width: number): Column => ({ heading, width, right: true });
const left = (heading: string, width: number): Column => ({ heading, width });

/** What `netstat -i` shows of the counters. */
export interface InterfaceView {
  /** -b: bytes instead of packets. */
  readonly bytes: boolean;
  /** -d: drops. */
  readonly drops: boolean;
}

const NAMES = [left('Name', 5), left('Mtu', 5), left('Network', 13), left('Address', 17)];
const PACKETS = [
  right('Ipkts', 8),
  right('Ierrs', 5),
  right('Opkts', 8),
  right('Oerrs', 5),
  right('Colls', 5),
];
const BYTES = [right('Ibytes', 10), right('Obytes', 10)];

function counters({ counters: c }: InterfaceInfo, view: InterfaceView): string[] {
  const shown = view.bytes
    ? [c.ibytes, c.obytes]
    : [c.ipackets, c.ierrors, c.opackets, c.oerrors, c.collisions];
  return [...shown, ...(view.drops ? [c.odrops + c.iqdrops] : [])].map(String);
}

/** `netstat -i`: a line for the link and one for every address; a star marks an interface that is down. */
export function interfaceTable(infos: readonly InterfaceInfo[], view: InterfaceView): string {
  const columns = [...NAMES, ...(view.bytes ? BYTES : PACKETS), ...(view.drops ? [right('Drops', 5)] : [])];
  const rows = infos.flatMap((info) => {
    const name = `${info.name}${(info.flags & IFF.UP) === 0 ? '*' : ''}`;
    const end = counters(info, view);
    const addresses = info.addresses.map(({ address, netmask }) => {
      const network = inetNtoa((inetAton(address) ?? 0) & (inetAton(netmask) ?? 0));
      return [name, String(info.mtu), networkText(network, netmask), address, ...end];
    });
    return [[name, String(info.mtu), '<Link>', info.mac ?? '', ...end], ...addresses];
  });
  return textTable(columns, rows);
}

/** An end of a socket: `10.0.0.1.80`, a star for what is not bound. */
export function endText(
  address: string,
  port: number,
  service: (port: number) => string | undefined,
): string {
  const portName = port === 0 ? '*' : (service(port) ?? String(port));
  return `${inetAton(address) === 0 ? '*' : address}.${portName}`;
}

const SOCKETS = [
  left('Proto', 5),
  right('Recv-Q', 6),
  right('Send-Q', 6),
  left(' Local Address', 22),
  left('Foreign Address', 22),
  left('State', 0),
];

/** `netstat` and `netstat -a`. */
export function socketTable(
  sockets: readonly SocketInfo[],
  all: boolean,
  service: (port: number) => string | undefined,
): string {
  const rows = sockets.map((socket) => [
    socket.protocol,
    String(socket.receiveQueue),
    String(socket.sendQueue),
    ` ${endText(socket.local, socket.localPort, service)}`,
    endText(socket.foreign, socket.foreignPort, service),
    socket.state ?? '',
  ]);
  return `Active Internet connections${all ? ' (including servers)' : ''}\n${textTable(SOCKETS, rows)}`;
}

/** `netstat -s`: a block for every protocol; with `terse` (-ss) only what has happened. */
export function statisticsText(statistics: Record<string, Record<string, number>>, terse: boolean): string {
  const block = ([protocol, counts]: [string, Record<string, number>]): string => {
    const lines = Object.entries(counts).filter(([, count]) => !terse || count > 0);
    return `${protocol}:\n${lines.map(([label, count]) => `\t${count} ${label}\n`).join('')}`;
  };
  return Object.entries(statistics).map(block).join('');
}

const BPF = [
  right('Pid', 6),
  left('Netif', 8),
  left('Flags', 6),
  right('Recv', 9),
  right('Drop', 9),
  right('Match', 9),
  right('Sblen', 7),
  right('Hblen', 7),
  right('Buffer', 8),
  right('Insns', 5),
  left('Engine', 11),
  left('Command', 0),
];

/** p promiscuous, i immediate mode, c frames are written complete, s sees what this host sends. */
function bpfFlags({ promiscuous, immediate, headerComplete, seesSent }: BpfInfo): string {
  const letter = (on: boolean, text: string): string => (on ? text : '-');
  return `${letter(promiscuous, 'p')}${letter(immediate, 'i')}${letter(headerComplete, 'c')}${letter(seesSent, 's')}`;
}

/** `netstat -B`: who listens through /dev/bpf, and what runs the filter. */
export function bpfTable(infos: readonly BpfInfo[], program: (pid: number) => string | undefined): string {
  const rows = infos.map((info) => {
    const { pid, received, dropped, captured, stored, held, bufferSize, instructions } = info;
    const counts = [received, dropped, captured, stored, held, bufferSize, instructions].map(String);
    const front = [String(pid), info.interface ?? '-', bpfFlags(info)];
    return [...front, ...counts, info.engine ?? '-', program(pid) ?? '-'];
  });
  return textTable(BPF, rows);
}

const POOLS = [
  left('Name', 16),
  right('Size', 6),
  right('InUse', 8),
  right('Peak', 8),
  right('Capacity', 8),
  right('Fail', 6),
];

function bufferLine(pools: readonly PoolInfo[], name: RegExp, text: string): string {
  const pool = pools.find((candidate) => name.test(candidate.name));
  if (pool === undefined) return '';
  const { inUse, capacity, highWater } = pool;
  return `${inUse}/${capacity} ${text} in use (current/max), ${highWater} at the peak\n`;
}

const THREADS = [
  right('Thread', 6),
  left('Role', 8),
  left('Context', 7),
  right('Queue', 6),
  right('Hardware', 9),
  right('Stack', 9),
  right('Other', 9),
  right('Stolen', 8),
  right('Slept', 8),
];

/** The threads at the end of `netstat -m`: what each does, who holds this stack's context, and what they have serviced. */
export function threadsText(threads: readonly ThreadInfo[]): string {
  const rows = threads.map(({ thread, role, holdsContext, queued, hardware, stack, other, stolen, slept }) =>
    [thread, role, holdsContext ? 'holds' : '-', queued, hardware, stack, other, stolen, slept].map(String),
  );
  return `\nThreads and the context of this stack\n${textTable(THREADS, rows)}`;
}

/** `netstat -m`: buffers, what was denied, and every pool of records. */
export function memoryText(pools: readonly PoolInfo[]): string {
  const total = pools.reduce((sum, pool) => sum + pool.inUse * pool.recordBytes, 0);
  const denied = pools.reduce((sum, pool) => sum + pool.failures, 0);
  const rows = pools.map(({ name, recordBytes, inUse, highWater, capacity, failures }) =>
    [name, recordBytes, inUse, highWater, capacity, failures].map(String),
  );
  return (
    bufferLine(pools, /^mbufs?$/i, 'mbufs') +
    bufferLine(pools, /^(mbuf)?cl(uster)?s?$/i, 'mapped clusters') +
    `${Math.ceil(total / 1024)} Kbytes allocated to network\n${denied} requests for memory denied\n\n` +
    `Memory resource pool statistics\n${textTable(POOLS, rows)}`
  );
}
