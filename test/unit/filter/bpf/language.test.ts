/** The filter language: which packets expressions accept, how short their programs are, and where errors point. */
import { describe, expect, test } from 'vitest';
import { interpret } from '../../../../stack/filter/bpf/interpreter.ts';
import { compileFilter } from '../../../../stack/filter/bpf/language/compile.ts';
import type { FilterOptions } from '../../../../stack/filter/bpf/language/compile.ts';
import { pointAt } from '../../../../stack/filter/bpf/language/error.ts';
import type { FilterError } from '../../../../stack/filter/bpf/language/error.ts';
import { validateProgram } from '../../../../stack/filter/bpf/validate.ts';
import type { BpfProgram } from '../../../../stack/filter/bpf/instruction.ts';

const ETHERNET: FilterOptions = { linkType: 1 };

function compiled(expression: string, options: FilterOptions = ETHERNET): BpfProgram {
  const result = compileFilter(expression, options);
  if ('error' in result) throw new Error(`${expression}: ${result.error.message}`);
  return result.program;
}

function errorOf(expression: string, options: FilterOptions = ETHERNET): FilterError {
  const result = compileFilter(expression, options);
  if ('program' in result) throw new Error(`${expression} was accepted`);
  return result.error;
}

function bytesOf(...parts: readonly (string | readonly number[])[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'string' ? [...Buffer.from(part, 'hex')] : part)),
  );
}

const MACS = 'ffffffffffff' + '02000000000a';

/** An IPv4 header with 20 bytes; `fragment` is the flags and offset field. */
function ipv4(protocol: number, fragment = '0000', source = '0a000001', destination = '0a000002'): string {
  return `4500003c0001${fragment}40${protocol.toString(16).padStart(2, '0')}0000${source}${destination}`;
}

const TCP_80 = bytesOf(MACS, '0800', ipv4(6), '1234', '0050', '00000001', '00000000', '5002', '000000000000');
const UDP_53 = bytesOf(MACS, '0800', ipv4(17), '1234', '0035', '00080000');
const LATER_FRAGMENT = bytesOf(MACS, '0800', ipv4(6, '00b9'), '1234', '0050', '00000001');
const ARP = bytesOf(MACS, '0806', '0001080006040001', '02000000000a', '0a000001', '000000000000', '0a000002');
const TCP6_80 = bytesOf(
  MACS,
  '86dd',
  '600000000014',
  '0640',
  '20010db8000000000000000000000001',
  '20010db8000000000000000000000002',
  '1234',
  '0050',
  '00000001',
);
const TAGGED = bytesOf(MACS, '8100', '0007', '0800', ipv4(6), '1234', '0050', '00000001');

const PACKETS = { TCP_80, UDP_53, LATER_FRAGMENT, ARP, TCP6_80, TAGGED };
type PacketName = keyof typeof PACKETS;

/** The names of the packets that an expression accepts. */
function accepted(expression: string, options: FilterOptions = ETHERNET): string[] {
  const program = compiled(expression, options);
  return Object.entries(PACKETS)
    .filter(([, bytes]) => interpret(program, bytes, bytes.length) > 0)
    .map(([name]) => name);
}

describe('expressions', () => {
  test.each<[string, PacketName[]]>([
    ['', ['TCP_80', 'UDP_53', 'LATER_FRAGMENT', 'ARP', 'TCP6_80', 'TAGGED']],
    ['ip', ['TCP_80', 'UDP_53', 'LATER_FRAGMENT']],
    ['tcp', ['TCP_80', 'LATER_FRAGMENT', 'TCP6_80']],
    ['tcp port 80', ['TCP_80', 'TCP6_80']],
    ['port http or domain', ['TCP_80', 'UDP_53', 'TCP6_80']],
    ['portrange 50-60', ['UDP_53']],
    ['src host 10.0.0.1', ['TCP_80', 'UDP_53', 'LATER_FRAGMENT', 'ARP']],
    ['host 10.0.0.1 and not arp', ['TCP_80', 'UDP_53', 'LATER_FRAGMENT']],
    ['net 10.0.0.0/30', ['TCP_80', 'UDP_53', 'LATER_FRAGMENT', 'ARP']],
    ['ip6 net 2001:db8::/32', ['TCP6_80']],
    ['ether broadcast and ip', ['TCP_80', 'UDP_53', 'LATER_FRAGMENT']],
    ['ether src 2:0:0:0:0:a and arp', ['ARP']],
    ['tcp[tcpflags] & tcp-syn != 0', ['TCP_80']],
    ['ip[6:2] & 0x1fff != 0', ['LATER_FRAGMENT']],
    ['len > 60', ['TCP6_80']],
    ['vlan', ['TAGGED']],
    ['vlan 7 and tcp port 80', ['TAGGED']],
    ['vlan 8', []],
    ['arp or ip and udp', ['UDP_53']],
    ['(ip[8] + 1) * 2 = 130 and udp', ['UDP_53']],
    ['ip proto \\udp', ['UDP_53']],
    ['portrange 0x30-070', ['UDP_53']],
    ['portrange domain-http', ['TCP_80', 'UDP_53', 'TCP6_80']],
  ])('%j', (expression, names) => {
    expect(accepted(expression)).toEqual(names);
    expect(accepted(expression, { ...ETHERNET, optimize: false })).toEqual(names);
  });

  test.each([
    ['wlan type MGT subtype Beacon', 'wlan type mgt subtype beacon', 105],
    ['subtype QoS-Data and dir ToDS', 'subtype qos-data and dir tods', 105],
    ['llc UI or llc RR', 'llc ui or llc rr', 1],
    ['action BLOCK and reason Short', 'action block and reason short', 117],
  ])('%j is %j: values of fields by name in either case', (written, lower, linkType) => {
    expect(compiled(written, { linkType })).toEqual(compiled(lower, { linkType }));
  });

  test('qualifiers carry over, and parentheses keep them', () => {
    expect(accepted('tcp dst port (443 or 80) and not 79')).toEqual(['TCP_80', 'TCP6_80']);
    expect(accepted('host 10.0.0.9 or 10.0.0.2')).toEqual(['TCP_80', 'UDP_53', 'LATER_FRAGMENT', 'ARP']);
  });

  test('names come from the resolver', () => {
    const resolver = {
      hosts: (name: string) => (name === 'beta' ? [{ family: 4 as const, address: 0x0a000002 }] : undefined),
      network: (name: string) => (name === 'lab' ? 10 : undefined),
      port: (name: string) => (name === 'web' ? 80 : undefined),
      etherHost: (name: string) => (name === 'beta' ? Uint8Array.of(2, 0, 0, 0, 0, 0x0a) : undefined),
    };
    const options = { ...ETHERNET, resolver };
    expect(accepted('ip dst host beta', options)).toEqual(['TCP_80', 'UDP_53', 'LATER_FRAGMENT']);
    expect(accepted('ip net lab', options)).toEqual(['TCP_80', 'UDP_53', 'LATER_FRAGMENT']);
    expect(accepted('port web', options)).toEqual(['TCP_80', 'TCP6_80']);
    expect(accepted('gateway beta and ip6', { ...options })).toEqual(['TCP6_80']);
  });

  test('a packet too short for what is looked at is rejected, even by a negation', () => {
    const program = compiled('not ip[60] = 1');
    expect(interpret(program, TCP_80, TCP_80.length)).toBe(0);
    expect(interpret(program, ARP, ARP.length)).toBeGreaterThan(0);
  });

  test('the snapshot length is what accepted packets return', () => {
    expect(interpret(compiled('ip', { linkType: 1, snaplen: 96 }), TCP_80, TCP_80.length)).toBe(96);
  });
});

describe('programs', () => {
  // Lengths of the programs of tcpdump with libpcap 1.10.3.
  test.each([
    ['ip', 4],
    ['tcp port 80', 20],
    ['host 10.0.0.1', 14],
    ['tcp[tcpflags] & tcp-syn != 0', 11],
    ['ip and tcp and ip and tcp and ip', 6],
    ['vlan and vlan', 10],
    ['geneve and ip', 54],
  ])('%s is no longer than %d instructions', (expression, length) => {
    expect(compiled(expression).length).toBeLessThanOrEqual(length);
  });

  test('optimization never makes a program longer', () => {
    for (const expression of [
      'port 80 or 443 or 8080',
      'ip or (ip and tcp)',
      'not (arp or rarp) and host 1.2.3.4',
    ])
      expect(compiled(expression).length).toBeLessThan(
        compiled(expression, { ...ETHERNET, optimize: false }).length,
      );
  });

  test('jumps reach beyond 255 instructions', () => {
    const hosts = Array.from({ length: 300 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
    const program = compiled(`ip src host 10.0.0.1 or ${hosts.join(' or ')} or 10.0.0.2`, {
      ...ETHERNET,
      optimize: false,
    });
    expect(program.length).toBeGreaterThan(300);
    expect(interpret(program, TCP_80, TCP_80.length)).toBeGreaterThan(0);
    expect(interpret(program, TCP6_80, TCP6_80.length)).toBe(0);
  });

  test('pass the validator, also where registers may be read before they are set', () => {
    for (const expression of ['not geneve and tcp', 'geneve or vxlan and host 10.0.0.1', 'vxlan 5 or ip'])
      expect(validateProgram(compiled(expression))).toBeUndefined();
  });

  test('more instructions than allowed are refused', () => {
    expect(errorOf('port 80', { linkType: 1, maxInstructions: 8 }).message).toBe(
      'the expression needs 24 instructions; a program may have 8',
    );
  });
});

describe('errors', () => {
  test.each([
    ['tcp prt 80', 5, /'prt'/],
    ['port', 5, /ends too early/],
    ['host 10.0.0.256', 6, /invalid IPv4 address/],
    ['ip and', 7, /ends too early/],
    ['ip or 10.0.0.1', 7, /no qualifiers/],
    ['(tcp', 5, /ends too early/],
    ['ip[0:3] = 1', 1, /data size/],
    ['vlan 5000', 1, /4095/],
    ['ether[0] / 0 = 1', 10, /division by zero/],
    ['net 10.0.0.1/8', 5, /non-network bits/],
    ['port nosuch', 6, /unknown port/],
    ['portrange domain', 11, /contains no hyphen/],
    ['portrange ftp-data-ssh', 11, /unknown port 'data-ssh'/],
    ['portrange 1-0x10000', 11, /65535/],
    ['ip ~ 1', 4, /illegal character/],
    ['port 08', 6, /non-octal/],
    ['ip and arp', 1, /rejects all packets/],
    ['wlan type mgt', 1, /not supported on DLT_EN10MB/],
  ])('%j points at column %d', (expression, column, message) => {
    const error = errorOf(expression);
    expect(error.message).toMatch(message);
    expect(error.column).toBe(column);
  });

  test('say what was expected', () => {
    expect(errorOf('host 10.0.0.256').expected).toBe('numbers up to 255');
    expect(pointAt('tcp prt 80', 5)).toBe('tcp prt 80\n    ^');
  });

  test.each(['(', 'not ', '-', 'ether[', 'host (', 'port 1 or ('])(
    '%j many times over is an error',
    (piece) => {
      expect(errorOf(piece.repeat(50_000)).message).not.toBe('');
    },
  );
});
