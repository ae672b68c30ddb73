// The tables of netstat.
import { expect, test } from 'vitest';
import type { InterfaceInfo, SocketInfo } from '../../../stack/runtime/messages/control.ts';
import { hexMask, networkText, parseMask } from '../../../stack/utilities/address-text.ts';
import {
  interfaceTable,
  memoryText,
  socketTable,
  statisticsText,
} from '../../../stack/utilities/netstat-text.ts';

test.each([
  ['0.0.0.0', '0.0.0.0', 'default'],
  ['10.0.0.0', '255.255.255.0', '10.0.0/24'],
  ['10.0.0.0', '255.0.0.0', '10/8'],
  ['192.168.1.0', '255.255.255.0', '192.168.1/24'],
  ['10.0.0.128', '255.255.255.128', '10.0.0.128/25'],
  ['10.0.0.2', '255.255.255.255', '10.0.0.2'],
])('network %s mask %s prints as %s', (destination, netmask, text) => {
  expect(networkText(destination, netmask)).toBe(text);
});

test('masks are read in all three forms', () => {
  expect(['255.255.255.0', '0xffffff00', '/24', '24'].map(parseMask)).toEqual(Array(4).fill(0xffffff00));
  expect(() => parseMask('/33')).toThrow('is not a netmask');
  expect(hexMask('255.255.0.0')).toBe('0xffff0000');
});

const en0: InterfaceInfo = {
  name: 'en0',
  index: 2,
  flags: 0x8802,
  mtu: 1500,
  metric: 0,
  mac: '02:00:00:00:00:01',
  capabilities: [],
  enabled: [],
  addresses: [{ address: '10.0.0.1', netmask: '255.255.255.0', broadcast: '10.0.0.255' }],
  details: [],
  counters: {
    ipackets: 12,
    ierrors: 1,
    ibytes: 1200,
    imcasts: 0,
    iqdrops: 3,
    opackets: 10,
    oerrors: 2,
    obytes: 1000,
    omcasts: 0,
    odrops: 4,
    collisions: 0,
  },
};

test('netstat -i: the link, its addresses, and a star for an interface that is down', () => {
  expect(interfaceTable([en0], { bytes: false, drops: false }).split('\n')).toEqual([
    'Name  Mtu   Network       Address              Ipkts Ierrs    Opkts Oerrs Colls',
    'en0*  1500  <Link>        02:00:00:00:00:01       12     1       10     2     0',
    'en0*  1500  10.0.0/24     10.0.0.1                12     1       10     2     0',
    '',
  ]);
  const [heading, link] = interfaceTable([en0], { bytes: true, drops: true }).split('\n');
  expect(heading!.trim().split(/\s+/)).toEqual([
    ...['Name', 'Mtu', 'Network', 'Address'],
    ...['Ibytes', 'Obytes', 'Drops'],
  ]);
  expect(link!.trim().split(/\s+/).slice(-3)).toEqual(['1200', '1000', '7']);
});

test('netstat -a: what is not bound is a star, services have names', () => {
  const sockets: SocketInfo[] = [
    {
      protocol: 'tcp',
      local: '0.0.0.0',
      localPort: 80,
      foreign: '0.0.0.0',
      foreignPort: 0,
      receiveQueue: 0,
      sendQueue: 0,
      state: 'LISTEN',
    },
    {
      protocol: 'udp',
      local: '10.0.0.1',
      localPort: 5001,
      foreign: '0.0.0.0',
      foreignPort: 0,
      receiveQueue: 42,
      sendQueue: 0,
    },
  ];
  const named = socketTable(sockets, true, (port) => (port === 80 ? 'http' : undefined));
  expect(named).toBe(
    `Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address         Foreign Address        State
tcp        0      0  *.http                *.*                    LISTEN
udp       42      0  10.0.0.1.5001         *.*
`,
  );
});

test('netstat -s and -ss', () => {
  const counts = { ip: { 'total packets received': 3, 'bad header checksums': 0 } };
  expect(statisticsText(counts, false)).toBe('ip:\n\t3 total packets received\n\t0 bad header checksums\n');
  expect(statisticsText(counts, true)).toBe('ip:\n\t3 total packets received\n');
});

test('netstat -m: every pool with its high-water mark and failures', () => {
  const text = memoryText([
    { name: 'mbuf', recordBytes: 256, capacity: 1024, inUse: 8, highWater: 20, failures: 0 },
    { name: 'tcpcb', recordBytes: 512, capacity: 64, inUse: 64, highWater: 64, failures: 5 },
  ]);
  expect(text).toContain('8/1024 mbufs in use (current/max), 20 at the peak\n');
  expect(text).toContain('34 Kbytes allocated to network\n5 requests for memory denied\n');
  expect(text).toMatch(/^tcpcb +512 +64 +64 +64 +5$/m);
});
