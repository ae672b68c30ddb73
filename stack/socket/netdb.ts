/**
 * Names of hosts and services, after gethostbyname(3) and getservbyname(3): dotted quads, the node's /etc/hosts, and the services of IANA's
 * registry that a lab meets. There is no DNS.
 */
import { readTextFile } from '../kernel/files.ts';
import type { Process } from '../kernel/process.ts';
import { inetAton } from './inet.ts';

interface HostEntry {
  readonly address: number;
  readonly names: readonly string[];
}

/** Entries of a hosts(5) file; lines that are none are skipped. */
export function parseHosts(text: string): HostEntry[] {
  const entries: HostEntry[] = [];
  for (const line of text.split('\n')) {
    const [quad, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const address = inetAton(quad ?? '');
    if (address !== undefined && names.length > 0) entries.push({ address, names });
  }
  return entries;
}

async function hosts(proc: Process): Promise<HostEntry[]> {
  try {
    return parseHosts(await readTextFile(proc, '/etc/hosts'));
  } catch {
    // A node without the file knows no names.
    return [];
  }
}

/** A name that stands for no address; `code` is the one that Node's own look-up has. */
export class UnknownHostError extends Error {
  readonly code = 'ENOTFOUND';

  constructor(host: string) {
    super(`unknown host ${host}`);
    this.name = 'UnknownHostError';
  }
}

/** Address of a host by dotted quad or name, undefined if it is unknown. */
export async function hostByName(proc: Process, name: string): Promise<number | undefined> {
  const quad = inetAton(name);
  if (quad !== undefined) return quad;
  const wanted = name.toLowerCase();
  const entry = (await hosts(proc)).find(({ names }) => names.some((n) => n.toLowerCase() === wanted));
  return entry?.address;
}

/** First name of an address in /etc/hosts, undefined if it has none. */
export async function hostByAddress(proc: Process, address: number): Promise<string | undefined> {
  return (await hosts(proc)).find((entry) => entry.address === address >>> 0)?.names[0];
}

const SERVICES = new Map([
  ['echo', 7],
  ['discard', 9],
  ['daytime', 13],
  ['chargen', 19],
  ['ftp', 21],
  ['ssh', 22],
  ['telnet', 23],
  ['smtp', 25],
  ['time', 37],
  ['domain', 53],
  ['bootps', 67],
  ['bootpc', 68],
  ['tftp', 69],
  ['http', 80],
  ['ntp', 123],
  ['snmp', 161],
  ['https', 443],
  ['syslog', 514],
  ['http-alt', 8080],
]);
const SERVICE_NAMES = new Map([...SERVICES].map(([name, port]) => [port, name]));

/** Port of a service by number (0 to 65535) or name, undefined if it is neither. */
export function serviceByName(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name) <= 65_535 ? Number(name) : undefined;
  return SERVICES.get(name);
}

/** Name of a port, undefined if it has none here. */
export function serviceByPort(port: number): string | undefined {
  return SERVICE_NAMES.get(port);
}
