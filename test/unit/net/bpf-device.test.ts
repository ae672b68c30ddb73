// /dev/bpf: what a program of a node captures and writes through it, in virtual time.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { BPF_LD, BPF_RET } from '../../../stack/filter/bpf/instruction.ts';
import type { BpfProgram } from '../../../stack/filter/bpf/instruction.ts';
import { bpfIoctl, bpfRecords, openBpf } from '../../../stack/kernel/bpf-client.ts';
import type { BpfDevice } from '../../../stack/kernel/bpf-client.ts';
import { close, devctl, open, read, readdir, write } from '../../../stack/kernel/files.ts';
import { O_NONBLOCK, O_RDWR } from '../../../stack/kernel/io-message.ts';
import type { Process } from '../../../stack/kernel/process.ts';
import { refreshNow } from '../../../stack/runtime/clock.ts';
import { POLLIN } from '../../../stack/runtime/messages/request.ts';
import { bpfds } from '../../../stack/net/bpf/descriptor.ts';
import { bpfPrograms } from '../../../stack/net/bpf/program.ts';
import { taps } from '../../../stack/net/tap.ts';
import { poll, select } from '../../../stack/socket/select.ts';
import * as libsocket from '../../../stack/socket/libsocket.ts';
import { BROADCAST, ETHERTYPE, Peer, arp, ether, parseFrame, pass } from '../../support/frames.ts';
import { TWO_NODES, labFrom, nodeOf, run, stopLab, succeed } from '../../support/lab.ts';
import { asProgram, start } from '../socket/programs.ts';

const MS = 1e6;
const MAC = '02:aa:00:00:00:01';
let lab: RunningLab;

beforeEach(async () => {
  lab = await labFrom(TWO_NODES);
});
afterEach(async () => {
  await stopLab(lab);
  // Closed devices give back all they had.
  expect([bpfds, bpfPrograms, taps].map((slab) => slab.report().inUse)).toEqual([0, 0, 0]);
});

const alpha = <T>(work: (self: Process) => Promise<T>): Promise<T> => asProgram(nodeOf(lab, 'alpha'), work);
const ping = (count: number): Promise<string> => succeed(lab, 'alpha', `ping -c ${count} -i 0.001 10.0.0.2`);
const codeOf = (doing: Promise<unknown>): Promise<string | undefined> =>
  doing.then(
    () => 'none',
    (error: unknown) => (error as { code?: string }).code,
  );
const instruction = (code: number, k: number, jt = 0, jf = 0): BpfProgram[number] => ({ code, jt, jf, k });
/** ICMP over IPv4, and `keep` bytes of it. */
const onlyIcmp = (keep: number): BpfProgram => [
  instruction(BPF_LD | 0x28, 12),
  instruction(0x15, ETHERTYPE.ip, 0, 3),
  instruction(BPF_LD | 0x30, 23),
  instruction(0x15, 1, 0, 1),
  instruction(BPF_RET, keep),
  instruction(BPF_RET, 0),
];
const types = (records: readonly { readonly bytes: Uint8Array }[]): string[] =>
  records.map(({ bytes }) => {
    const { ip, arp: found } = parseFrame(Buffer.from(bytes));
    return found === undefined ? `icmp ${ip?.icmp?.type ?? '?'}` : `arp ${found.op}`;
  });

test('records: time of the wall, lengths, a header after which the network header is aligned', async () => {
  await alpha(async (self) => {
    const fd = await open(self, '/dev/bpf', O_RDWR);
    await bpfIoctl(self, fd, 'BIOCSETIF', 'en0');
    await bpfIoctl(self, fd, 'BIOCIMMEDIATE', true);
    const size = await bpfIoctl(self, fd, 'BIOCGBLEN', undefined);
    expect(size).toBe(32_768);
    const pinging = ping(1);
    const buffer = Buffer.from(await read(self, fd, size));
    await pinging;
    // The ARP request, at 2026-01-01 in the first second: 18 bytes of header, 60 of frame, padded to 4.
    expect(buffer.readUInt32LE(0)).toBe(1_767_225_600);
    expect([buffer.readUInt32LE(8), buffer.readUInt32LE(12), buffer.readUInt16LE(16)]).toEqual([60, 60, 18]);
    expect(types([{ bytes: buffer.subarray(18) }])).toEqual(['arp request']);
    const rest = bpfRecords(await read(self, fd, size));
    expect(types(rest)).toEqual(['arp reply', 'icmp 8', 'icmp 0']);
    const [, request, reply] = rest;
    expect(reply!.seconds + reply!.microseconds / 1e6).toBeGreaterThanOrEqual(
      request!.seconds + request!.microseconds / 1e6,
    );
    expect(request!.length).toBe(98);
  });
});

test('a filter takes what it takes, as much of it as it says; every listener has its own copy', async () => {
  await alpha(async (self) => {
    const all = await openBpf(self, 'en0', { immediate: true });
    const icmp = await openBpf(self, 'en0', { immediate: true, filter: onlyIcmp(42) });
    await ping(2);
    const seen = await icmp.read();
    expect(types(seen)).toEqual(['icmp 8', 'icmp 0', 'icmp 8', 'icmp 0']);
    expect(seen.map(({ bytes, length }) => [bytes.length, length])).toEqual(Array(4).fill([42, 98]));
    expect((await all.read()).length).toBe(6);
    expect(await icmp.statistics()).toEqual({ received: 6, dropped: 0, captured: 4 });
    expect(await all.statistics()).toEqual({ received: 6, dropped: 0, captured: 6 });
    await icmp.close();
    await ping(1);
    expect((await all.read()).length).toBe(2);
    await all.close();
  });
});

test('a read waits for a full buffer; the store becomes what is held; then packets are dropped', async () => {
  await alpha(async (self) => {
    // Room for two records of 18 + 98 bytes.
    const device = await openBpf(self, 'en0', { bufferSize: 250, filter: onlyIcmp(98) });
    expect(device.bufferSize).toBe(250);
    let done = false;
    const reading = device.read().finally(() => (done = true));
    await ping(1);
    await pass(10 * MS);
    expect(done).toBe(false);
    expect(await bpfIoctl(self, device.fd, 'FIONREAD', undefined)).toBe(116 + 116);
    await ping(1);
    expect(types(await reading)).toEqual(['icmp 8', 'icmp 0']);
    await ping(3);
    expect(await device.statistics()).toEqual({ received: 12, dropped: 4, captured: 10 });
    expect((await device.read()).length).toBe(2);
    await bpfIoctl(self, device.fd, 'BIOCFLUSH', undefined);
    expect(await device.statistics()).toEqual({ received: 0, dropped: 0, captured: 0 });
    expect(await bpfIoctl(self, device.fd, 'FIONREAD', undefined)).toBe(0);
  });
});

test('a read time-out ends a read exactly then, with what there is', async () => {
  await alpha(async (self) => {
    const device = await openBpf(self, 'en0', { timeout: 50 * MS, filter: onlyIcmp(98) });
    const before = refreshNow();
    expect(await device.read()).toEqual([]);
    expect(refreshNow() - before).toBe(50 * MS);
    const again = refreshNow();
    const reading = device.read();
    await ping(1);
    expect((await reading).length).toBe(2);
    expect(refreshNow() - again).toBe(50 * MS);
    expect(await bpfIoctl(self, device.fd, 'BIOCGRTIMEOUT', undefined)).toBe(50 * MS);
  });
});

test('without blocking a read takes what there is; poll and select wait for it, beside sockets', async () => {
  await alpha(async (self) => {
    const fd = await open(self, '/dev/bpf0', O_RDWR | O_NONBLOCK);
    expect(await codeOf(read(self, fd, 32_768))).toBe('ENXIO');
    await bpfIoctl(self, fd, 'BIOCSETF', onlyIcmp(98));
    await bpfIoctl(self, fd, 'BIOCSETIF', 'en0');
    expect(await codeOf(read(self, fd, 32_768))).toBe('EAGAIN');
    expect(await poll(self, [{ fd, events: POLLIN }], 5 * MS)).toBe(0);
    const udp = await libsocket.socket(self, 2, 2, 0);
    await bpfIoctl(self, fd, 'BIOCIMMEDIATE', true);
    const waiting = select(self, { read: [udp, fd] }, -1);
    await ping(1);
    expect(await waiting).toEqual({ read: [fd], write: [] });
    expect(bpfRecords(await read(self, fd, 32_768)).length).toBe(2);
    await bpfIoctl(self, fd, 'FIONBIO', false);
    const blocked = read(self, fd, 32_768);
    await ping(1);
    expect(bpfRecords(await blocked).length).toBeGreaterThan(0);
  });
});

test('a poll gets what there is when the read time-out has ended', async () => {
  await alpha(async (self) => {
    const device = await openBpf(self, 'en0', { timeout: 20 * MS, filter: onlyIcmp(98) });
    await ping(1);
    const before = refreshNow();
    expect(await poll(self, [{ fd: device.fd, events: POLLIN }], -1)).toBe(1);
    expect(refreshNow() - before).toBe(20 * MS);
    expect((await device.read()).length).toBe(2);
  });
});

test('what is set before an interface, what needs one, and sizes that cannot be', async () => {
  await alpha(async (self) => {
    const fd = await open(self, '/dev/bpf', O_RDWR);
    const ioctl = bpfIoctl.bind(undefined, self, fd);
    for (const command of ['BIOCGDLT', 'BIOCGDLTLIST', 'BIOCGETIF', 'BIOCPROMISC'] as const)
      expect([command, await codeOf(ioctl(command, undefined))]).toEqual([command, 'EINVAL']);
    expect(await ioctl('BIOCSBLEN', 1)).toBe(32);
    expect(await ioctl('BIOCSBLEN', 2 ** 31)).toBe(1_048_576);
    await succeed(lab, 'alpha', 'sysctl -w net.bpf.maxbufsize=65536');
    expect(await ioctl('BIOCSBLEN', 2 ** 31)).toBe(65_536);
    expect(await codeOf(ioctl('BIOCSETIF', 'en7'))).toBe('ENXIO');
    await ioctl('BIOCSETIF', 'en0');
    expect(await codeOf(ioctl('BIOCSBLEN', 4096))).toBe('EINVAL');
    expect(await codeOf(read(self, fd, 4096))).toBe('EIO');
    expect(await ioctl('BIOCGDLT', undefined)).toBe(1);
    expect(await ioctl('BIOCGDLTLIST', undefined)).toEqual([1]);
    expect(await codeOf(ioctl('BIOCSDLT', 0))).toBe('EINVAL');
    await ioctl('BIOCSDLT', 1);
    expect(await ioctl('BIOCGETIF', undefined)).toBe('en0');
    expect(await ioctl('SIOCGIFADDR', undefined)).toBe('10.0.0.1');
    expect(await ioctl('BIOCVERSION', undefined)).toEqual({ major: 1, minor: 1 });
    expect(await ioctl('BIOCGRSIG', undefined)).toBe(22);
    await ioctl('BIOCSRSIG', 15);
    expect(await ioctl('BIOCGRSIG', undefined)).toBe(15);
    expect(await codeOf(devctl(self, fd, 'BIOCNONSENSE'))).toBe('ENOTTY');
    expect((await readdir(self, '/dev')).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['bpf', 'bpf0']),
    );
  });
});

test('a program that is not valid is refused, and the reason is said', async () => {
  await alpha(async (self) => {
    const fd = await open(self, '/dev/bpf', O_RDWR);
    const endless = [instruction(BPF_LD | 0x20, 0)];
    expect(await codeOf(bpfIoctl(self, fd, 'BIOCSETF', endless))).toBe('EINVAL');
    await expect(openBpf(self, 'en0', { filter: endless })).rejects.toThrow(
      /filter program: Invalid argument: .*return/,
    );
  });
});

test('promiscuous mode lasts until the last one that asked for it is closed, and shows frames for others', async () => {
  const peer = await Peer.at(lab, 'beta', 'wire', 1);
  const stranger = ether('02:aa:00:00:00:77', MAC, 0x1234, Buffer.alloc(46));
  const flags = async (): Promise<boolean> =>
    (await run(lab, 'alpha', 'ifconfig en0')).out.includes('PROMISC');
  await alpha(async (self) => {
    const plain = await openBpf(self, 'en0', { immediate: true });
    peer.send(stranger);
    await pass(MS);
    expect((await plain.statistics()).received).toBe(0);
    const first = await openBpf(self, 'en0', { promiscuous: true });
    const second = await openBpf(self, 'en0', { promiscuous: true });
    await bpfIoctl(self, second.fd, 'BIOCPROMISC', undefined);
    await first.close();
    expect(await flags()).toBe(true);
    peer.send(stranger);
    await pass(MS);
    expect((await plain.read()).length).toBe(1);
    await second.close();
    expect(await flags()).toBe(false);
  });
  peer.leave();
});

test('what this host sends can be left out', async () => {
  await alpha(async (self) => {
    const device = await openBpf(self, 'en0', { immediate: true });
    expect(await bpfIoctl(self, device.fd, 'BIOCGSEESENT', undefined)).toBe(true);
    await bpfIoctl(self, device.fd, 'BIOCSSEESENT', false);
    await ping(1);
    expect(types(await device.read())).toEqual(['arp reply', 'icmp 0']);
  });
});

test('a write sends one frame, with our address in it unless that is said to be there', async () => {
  const peer = await Peer.at(lab, 'beta', 'wire', 1);
  await alpha(async (self) => {
    const device = await openBpf(self, 'en0', { immediate: true });
    const ask = arp({ op: 'request', senderMac: MAC, sender: '10.0.0.1', target: '10.0.0.2' });
    const frame = ether(BROADCAST, MAC, ETHERTYPE.arp, ask);
    await device.write(frame);
    await bpfIoctl(self, device.fd, 'BIOCSHDRCMPLT', true);
    expect(await bpfIoctl(self, device.fd, 'BIOCGHDRCMPLT', undefined)).toBe(true);
    await device.write(frame);
    await pass(MS);
    expect(peer.takeParsed().map(({ source }) => source)).toEqual(['02:00:00:00:00:00', MAC]);
    // It sees what it sends.
    expect((await device.read()).length).toBe(2);
    expect(await codeOf(device.write(Buffer.alloc(13)))).toBe('EINVAL');
    expect(await codeOf(device.write(Buffer.alloc(1515)))).toBe('EMSGSIZE');
    await succeed(lab, 'alpha', 'ifconfig en0 down');
    expect(await codeOf(device.write(frame))).toBe('ENETDOWN');
  });
  peer.leave();
});

test('loopback packets begin with an address family; nothing can be written there', async () => {
  await alpha(async (self) => {
    const device = await openBpf(self, 'lo0', { immediate: true });
    expect(device.linkType).toBe(0);
    await succeed(lab, 'alpha', 'ping -c 1 127.0.0.1');
    const [packet] = await device.read();
    expect(Buffer.from(packet!.bytes).readUInt32LE(0)).toBe(2);
    expect([packet!.bytes[4]! >>> 4, packet!.length]).toEqual([4, 88]);
    // The filter sees the family, too: in front of the version, at offset 4.
    await device.setFilter([
      instruction(BPF_LD | 0x30, 4),
      instruction(0x15, 0x45, 0, 1),
      instruction(BPF_RET, 6),
      instruction(BPF_RET, 0),
    ]);
    await succeed(lab, 'alpha', 'ping -c 1 127.0.0.1');
    expect((await device.read()).map(({ bytes }) => bytes.length)).toEqual([6, 6]);
    expect(await codeOf(device.write(Buffer.alloc(30)))).toBe('EAFNOSUPPORT');
  });
});

test('an interface that is destroyed ends a read; so does a signal', async () => {
  await succeed(lab, 'alpha', 'ifconfig tap0 create up');
  const node = nodeOf(lab, 'alpha');
  const reading = start(node, async (self) => codeOf((await openBpf(self, 'tap0')).read()));
  await pass(MS);
  await succeed(lab, 'alpha', 'ifconfig tap0 destroy');
  expect(await reading.result).toBe('ENXIO');
  const interrupted = start(node, async (self) => codeOf((await openBpf(self, 'en0')).read()));
  await pass(MS);
  interrupted.process.kill('SIGTERM');
  expect(await interrupted.result).toBe('EINTR');
});

test('FIOASYNC: the owner gets its signal when there is something to read', async () => {
  const node = nodeOf(lab, 'alpha');
  const waiting = start(node, async (self) => {
    const device: BpfDevice = await openBpf(self, 'en0', { immediate: true });
    await bpfIoctl(self, device.fd, 'BIOCSRSIG', 15);
    await bpfIoctl(self, device.fd, 'FIOASYNC', true);
    await new Promise((resolve) => self.signal.addEventListener('abort', resolve));
    return self.killedBy;
  });
  await pass(MS);
  await ping(1);
  await pass(MS);
  expect(await waiting.result).toBe('SIGTERM');
});

test('netstat -B shows who listens, on what, and which engine runs the filter', async () => {
  await succeed(lab, 'alpha', 'sysctl -w net.bpf.engine=closures');
  await alpha(async (self) => {
    const device = await openBpf(self, 'en0', { promiscuous: true, immediate: true, filter: onlyIcmp(98) });
    await ping(1);
    const lines = (await succeed(lab, 'alpha', 'netstat -B')).split('\n');
    expect(lines[0]).toMatch(
      /^ +Pid Netif +Flags +Recv +Drop +Match +Sblen +Hblen +Buffer Insns Engine +Command$/,
    );
    expect(lines[1]).toMatch(
      new RegExp(`^ +${self.pid} en0 +pi-s +4 +0 +2 +232 +0 +32768 +6 closures +test$`),
    );
    expect((await device.read()).length).toBe(2);
    await succeed(lab, 'alpha', 'sysctl -w net.bpf.engine=auto');
    expect(await succeed(lab, 'alpha', 'netstat -B')).toMatch(/ 6 wasm +test\n/);
    await write(self, device.fd, new Uint8Array(0));
    await close(self, device.fd);
  });
  expect((await run(lab, 'alpha', 'sysctl -w net.bpf.engine=fast')).err).toContain(
    'net.bpf.engine: fast is not one of auto, wasm, closures, interpreter',
  );
});
