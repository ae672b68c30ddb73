// What sysctl, arp, route get, nicinfo, ttcp, nc and traceroute print and understand.
import { expect, test } from 'vitest';
import { arpLine } from '../../../stack/utilities/arp.ts';
import { imfFixdate } from '../../../stack/utilities/http-date.ts';
import { portRange } from '../../../stack/utilities/nc.ts';
import { nicText } from '../../../stack/utilities/nicinfo.ts';
import { routeText } from '../../../stack/utilities/route.ts';
import { assignments, invalidName, sysctlLine } from '../../../stack/utilities/sysctl.ts';
import { unreachableMark } from '../../../stack/utilities/traceroute.ts';
import { tallyLines } from '../../../stack/utilities/ttcp.ts';

test('sysctl prints a variable in four forms', () => {
  const forwarding = {
    name: 'net.inet.ip.forwarding',
    value: 0,
    description: 'Forward packets',
    writable: true,
  };
  expect(sysctlLine(forwarding, 'full')).toBe('net.inet.ip.forwarding = 0\n');
  expect(sysctlLine(forwarding, 'value')).toBe('0\n');
  expect(sysctlLine(forwarding, 'shell')).toBe('net.inet.ip.forwarding=0\n');
  expect(sysctlLine(forwarding, 'description')).toBe('net.inet.ip.forwarding: Forward packets\n');
});

test('sysctl says at which level a name goes wrong', () => {
  const known = ['net.inet.ip.ttl', 'net.inet.tcp.sendspace'];
  expect(invalidName('nit.inet', known)).toBe("top level name 'nit' in 'nit.inet' is invalid");
  expect(invalidName('net.inet.ip.tll', known)).toBe(
    "fourth level name 'tll' in 'net.inet.ip.tll' is invalid",
  );
});

test('sysctl -f: comments, blank lines, and lines that go on', () => {
  expect(assignments('# all\nnet.a=1 # one\n\nnet.b=\\\n2\n')).toEqual(['net.a=1', 'net.b=2']);
});

test('entries of the ARP table', () => {
  const entry = { address: '10.0.0.2', interface: 'en0' };
  const mac = '02:00:00:00:00:02';
  expect(arpLine({ ...entry, mac, state: 'reachable' }, 'beta')).toBe(`beta (10.0.0.2) at ${mac} on en0\n`);
  expect(arpLine({ ...entry, mac, state: 'permanent' }, '?')).toBe(
    `? (10.0.0.2) at ${mac} on en0 permanent\n`,
  );
  expect(arpLine({ ...entry, state: 'incomplete' }, '?')).toBe('? (10.0.0.2) at (incomplete) on en0\n');
});

test('route get', () => {
  const route = {
    destination: '10.1.0.0',
    netmask: '255.255.0.0',
    gateway: '10.0.0.254',
    interface: 'en0',
    flags: 'UGS',
    refs: 0,
    use: 0,
    mtu: 1500,
  };
  expect(routeText('10.1.2.3', route)).toBe(
    `   route to: 10.1.2.3
destination: 10.1.0.0
       mask: 255.255.0.0
    gateway: 10.0.0.254
  interface: en0
      flags: <UP,GATEWAY,STATIC>
        mtu: 1500
`,
  );
  const toDefault = routeText('9.9.9.9', { ...route, destination: '0.0.0.0', netmask: '0.0.0.0' });
  expect(toDefault).toContain('destination: default\n');
  expect(toDefault).not.toContain('mask');
});

test('nicinfo names the counters and lines them up', () => {
  const text = nicText('en0', {
    driver: 'devnp-vnic.so',
    description: 'Virtual Ethernet Controller',
    config: { 'Maximum Transmittable data Unit': 1500 },
    stats: { txed_ok: 8, some_other: 1 },
  });
  expect(text).toBe(
    `en0:\x20
  Virtual Ethernet Controller (devnp-vnic.so)

  Maximum Transmittable data Unit ............ 1500

  Packets Transmitted OK ..................... 8
  some_other ................................. 1
`,
  );
});

test('ttcp rates in bytes and bits', () => {
  const tally = { bytes: 10_485_760, calls: 40, seconds: 2 };
  expect(tallyLines('ttcp-t', tally, 'K')).toBe(
    'ttcp-t: 10485760 bytes in 2.00 real seconds = 5120.00 KB/sec +++\n' +
      'ttcp-t: 40 I/O calls, msec/call = 50.00, calls/sec = 20.00\n',
  );
  expect(tallyLines('ttcp-t', tally, 'm')).toContain('= 40.00 Mbit/sec +++');
});

test('ports of nc: numbers, names and ranges either way', () => {
  expect(portRange('http')).toEqual([80]);
  expect(portRange('22-20')).toEqual([20, 21, 22]);
  expect(() => portRange('0')).toThrow('neither a number from 1 to 65535');
  expect(() => portRange('1-70000')).toThrow('70000');
});

test('marks of traceroute', () => {
  expect([0, 1, 2, 13].map((code) => unreachableMark(code, 0))).toEqual(['!N', '!H', '!P', '!X']);
  expect(unreachableMark(4, 1400)).toBe('!F-1400');
  expect(unreachableMark(42, 0)).toBe('!<42>');
});

test('dates of HTTP', () => {
  expect(imfFixdate(1_767_225_600)).toBe('Thu, 01 Jan 2026 00:00:00 GMT');
  expect(imfFixdate(784_111_777)).toBe('Sun, 06 Nov 1994 08:49:37 GMT');
});
