// ifconfig: its output, and the words it takes.
import { expect, test } from 'vitest';
import type { InterfaceInfo } from '../../../stack/runtime/messages/control.ts';
import { IFF } from '../../../stack/runtime/messages/control.ts';
import { flagsText, interfaceText } from '../../../stack/utilities/ifconfig-text.ts';
import { flagChange, readChange } from '../../../stack/utilities/ifconfig-words.ts';

const counters = {
  ipackets: 3,
  ierrors: 0,
  ibytes: 180,
  imcasts: 1,
  iqdrops: 0,
  opackets: 1,
  oerrors: 0,
  obytes: 60,
  omcasts: 0,
  odrops: 2,
  collisions: 0,
};
const en0: InterfaceInfo = {
  name: 'en0',
  index: 2,
  flags: IFF.UP | IFF.BROADCAST | IFF.RUNNING | IFF.SIMPLEX | IFF.MULTICAST,
  mtu: 1500,
  metric: 0,
  mac: '02:00:00:00:00:01',
  media: 'Ethernet autoselect (1000baseT full-duplex)',
  carrier: true,
  capabilities: ['ip4csum', 'tcp4csum', 'udp4csum'],
  enabled: ['tcp4csum'],
  details: [],
  addresses: [
    { address: '10.0.0.1', netmask: '255.255.255.0', broadcast: '10.0.0.255' },
    { address: '10.0.0.9', netmask: '255.255.255.255', broadcast: '10.0.0.9' },
  ],
  counters,
};
const plain = { counters: false, media: false };

test('an Ethernet interface looks as on io-pkt', () => {
  expect(interfaceText(en0, plain)).toBe(
    `en0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	capabilities=7<IP4CSUM,TCP4CSUM,UDP4CSUM>
	enabled=2<TCP4CSUM>
	address: 02:00:00:00:00:01
	media: Ethernet autoselect (1000baseT full-duplex)
	status: active
	inet 10.0.0.1 netmask 0xffffff00 broadcast 10.0.0.255
	inet alias 10.0.0.9 netmask 0xffffffff broadcast 10.0.0.9
`,
  );
});

test('the loopback interface has neither address nor media', () => {
  const lo0: InterfaceInfo = {
    name: 'lo0',
    index: 1,
    flags: IFF.UP | IFF.LOOPBACK | IFF.RUNNING | IFF.MULTICAST,
    mtu: 33192,
    metric: 0,
    capabilities: [],
    enabled: [],
    details: [],
    addresses: [{ address: '127.0.0.1', netmask: '255.0.0.0' }],
    counters,
  };
  expect(interfaceText(lo0, plain)).toBe(
    'lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 33192\n\tinet 127.0.0.1 netmask 0xff000000\n',
  );
});

test('the flags of an interface that was never up', () => {
  expect(flagsText(IFF.BROADCAST | IFF.SIMPLEX | IFF.MULTICAST)).toBe('8802<BROADCAST,SIMPLEX,MULTICAST>');
});

test('-v adds counters, -m the media; a link without carrier says so', () => {
  const text = interfaceText({ ...en0, carrier: false }, { counters: true, media: true });
  expect(text).toContain('\tstatus: no carrier\n\tsupported Ethernet media:\n\t\tmedia autoselect\n');
  expect(text).toContain('\tinput: 3 packets, 180 bytes, 1 multicast\n');
  expect(text).toContain('\toutput: 1 packet, 60 bytes, 2 drops\n');
});

test('an address with its length, and up', () => {
  expect(readChange(['10.0.0.1/24', 'up'])).toMatchObject({
    action: 'set',
    address: '10.0.0.1',
    netmask: '255.255.255.0',
    set: { UP: true },
  });
});

test.each([
  [['inet', '10.0.0.1', 'netmask', '255.255.0.0', 'alias'], { action: 'alias', netmask: '255.255.0.0' }],
  [['10.0.0.1', 'netmask', '0xfffffff0'], { action: 'set', netmask: '255.255.255.240' }],
  [['10.0.0.1', '-alias'], { action: 'remove', address: '10.0.0.1' }],
  [['delete', '10.0.0.1'], { action: 'remove', address: '10.0.0.1' }],
  [['broadcast', '10.0.0.255'], { action: 'set', broadcast: '10.0.0.255' }],
  [['create'], { create: true }],
])('%j', (words, change) => {
  expect(readChange(words)).toMatchObject(change);
});

test('flags, capabilities, mtu and metric travel in one call', () => {
  const words = ['down', '-arp', 'debug', '-link1', 'ip4csum', '-udp4csum', 'mtu', '9000', 'metric', '2'];
  expect(flagChange('en0', readChange(words))).toEqual({
    name: 'en0',
    set: { UP: false, NOARP: true, DEBUG: true, LINK1: false },
    capabilities: { ip4csum: true, udp4csum: false },
    mtu: 9000,
    metric: 2,
  });
  expect(flagChange('en0', readChange(['10.0.0.1']))).toBeUndefined();
});

test.each([
  [['10.0.0.1/33'], 'the prefix length must be a whole number from 0 to 32'],
  [['10.0.0.300'], 'neither a word of ifconfig nor an address'],
  [['netmask'], "'netmask' requires a netmask"],
  [['netmask', '255.0.255.0'], 'is not a netmask'],
  [['mtu', 'big'], 'mtu must be a whole number'],
  [['lladdr', '02:00'], 'is not a MAC address'],
  [['toString'], 'neither a word of ifconfig'],
])('%j is refused: %s', (words, text) => {
  expect(() => readChange(words)).toThrow(text);
});
