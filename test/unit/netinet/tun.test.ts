// tun and tap interfaces: a program of the node at the other end, which reads and writes /dev/tapN and /dev/tunN.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { close, open, read, readdir, write } from '../../../stack/kernel/files.ts';
import { O_NONBLOCK, O_RDWR } from '../../../stack/kernel/io-message.ts';
import { spawn } from '../../../stack/kernel/process.ts';
import type { Process } from '../../../stack/kernel/process.ts';
import { ERRNO } from '../../../stack/runtime/messages/errno.ts';
import {
  BROADCAST,
  ETHERTYPE,
  PROTOCOL,
  arp,
  ether,
  icmp,
  ipv4,
  parseFrame,
  parseIp,
  pass,
} from '../../support/frames.ts';
import { TWO_NODES, labFrom, nodeOf, run, stopLab, succeed } from '../../support/lab.ts';

const MAC = '02:aa:00:00:00:01';
let lab: RunningLab;

beforeEach(async () => {
  lab = await labFrom(TWO_NODES);
});
afterEach(() => stopLab(lab));

/** Runs a program on alpha to its end; resolves to what it returns. */
async function program<T>(main: (self: Process) => Promise<T>): Promise<T> {
  let result: { value: T } | { error: unknown } | undefined;
  const self = spawn(
    nodeOf(lab, 'alpha'),
    async (own) => {
      try {
        result = { value: await main(own) };
      } catch (error) {
        result = { error };
      }
      return 0;
    },
    { argv: ['tap-user'] },
  );
  await self.exited;
  if (result !== undefined && 'value' in result) return result.value;
  const error = result?.error;
  throw error instanceof Error ? error : new Error('the program was ended');
}

const errnoOf = (doing: Promise<unknown>): Promise<number | undefined> =>
  doing.then(
    () => 0,
    (error: unknown) => (error as { errno?: number }).errno,
  );
const ifconfig = async (name: string): Promise<string> => (await run(lab, 'alpha', `ifconfig ${name}`)).out;
const frameOf = async (self: Process, fd: number): Promise<Buffer> => Buffer.from(await read(self, fd, 2000));

test('a program answers ARP and pings on tap0 as a host on its cable would', async () => {
  await succeed(lab, 'alpha', 'ifconfig tap0 create; ifconfig tap0 10.9.0.1/24');
  expect(await ifconfig('tap0')).toMatch(/address: f2:0b:a4:.*\n.*\n\tstatus: no carrier\n\tdevice: closed/);
  const answering = program(async (self) => {
    const fd = await open(self, '/dev/tap0', O_RDWR);
    const seen: string[] = [];
    for (let i = 0; i < 4; i++) {
      const bytes = await frameOf(self, fd);
      const frame = parseFrame(bytes);
      if (frame.arp !== undefined) {
        seen.push(`arp ${frame.arp.target}`);
        const reply = arp({
          op: 'reply',
          senderMac: MAC,
          sender: '10.9.0.2',
          targetMac: frame.source,
          target: '10.9.0.1',
        });
        await write(self, fd, ether(frame.source, MAC, ETHERTYPE.arp, reply));
      } else {
        const { ip } = frame;
        seen.push(`icmp ${ip!.icmp!.type}`);
        const payload = icmp(0, 0, ip!.icmp!.rest, ip!.icmp!.payload);
        const answer = ipv4({
          source: '10.9.0.2',
          destination: '10.9.0.1',
          protocol: PROTOCOL.icmp,
          payload,
        });
        await write(self, fd, ether(frame.source, MAC, ETHERTYPE.ip, answer));
      }
    }
    await close(self, fd);
    return seen;
  });
  await pass(1000);
  expect(await ifconfig('tap0')).toMatch(/status: active\n\tdevice: open/);
  expect((await run(lab, 'alpha', 'ping -c 3 -i 0.1 10.9.0.2')).out).toContain('3 packets received');
  expect(await answering).toEqual(['arp 10.9.0.2', 'icmp 8', 'icmp 8', 'icmp 8']);
  await pass(1000);
  // Closing takes it down.
  expect(await ifconfig('tap0')).toMatch(/^tap0: flags=8802<BROADCAST,SIMPLEX,MULTICAST>/);
});

test('one opener at a time; without blocking there is nothing to read; it is gone with its interface', async () => {
  await succeed(lab, 'alpha', 'ifconfig tap0 create up; ifconfig tun1 create');
  await program(async (self) => {
    expect((await readdir(self, '/dev')).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['tap0', 'tun1']),
    );
    const fd = await open(self, '/dev/tap0', O_RDWR | O_NONBLOCK);
    expect(await errnoOf(open(self, '/dev/tap0', O_RDWR))).toBe(ERRNO.EBUSY);
    expect(await errnoOf(read(self, fd))).toBe(ERRNO.EAGAIN);
    expect(await errnoOf(write(self, fd, Buffer.alloc(13)))).toBe(ERRNO.EINVAL);
    expect(await errnoOf(write(self, fd, Buffer.alloc(1519)))).toBe(ERRNO.EMSGSIZE);
    await close(self, fd);
    await pass(1000);
    const again = await open(self, '/dev/tap0', O_RDWR);
    // Nobody has taken it up again.
    expect(await errnoOf(write(self, again, Buffer.alloc(60)))).toBe(ERRNO.ENETDOWN);
    await succeed(lab, 'alpha', 'ifconfig tap0 destroy');
    expect((await read(self, again)).length).toBe(0);
    expect(await errnoOf(write(self, again, Buffer.alloc(60)))).toBe(ERRNO.EPIPE);
    await close(self, again);
    await pass(1000);
    expect(await errnoOf(open(self, '/dev/tap0', O_RDWR))).toBe(ERRNO.ENOENT);
  });
});

test('a read that blocks is interrupted with its program, and the device is free again', async () => {
  await succeed(lab, 'alpha', 'ifconfig tap0 create up');
  const reading = program(async (self) => read(self, await open(self, '/dev/tap0', O_RDWR)));
  const ended = reading.catch(() => 'ended');
  await pass(1000);
  const self = nodeOf(lab, 'alpha').processes.all().at(-1)!;
  self.kill('SIGKILL');
  await ended;
  await pass(1000);
  expect(await program(async (own) => errnoOf(open(own, '/dev/tap0', O_RDWR)))).toBe(0);
});

test('tap0 as a member of a bridge: what the program writes leaves by the card, and what comes by that it reads', async () => {
  await succeed(
    lab,
    'alpha',
    'ifconfig tap0 create up; ifconfig bridge0 create; brconfig bridge0 add en0 add tap0 up',
  );
  await program(async (self) => {
    const fd = await open(self, '/dev/tap0', O_RDWR);
    const ask = arp({ op: 'request', senderMac: MAC, sender: '10.0.0.77', target: '10.0.0.2' });
    await write(self, fd, ether(BROADCAST, MAC, ETHERTYPE.arp, ask));
    const { arp: answer, destination } = parseFrame(await frameOf(self, fd));
    expect([destination, answer?.op, answer?.sender]).toEqual([MAC, 'reply', '10.0.0.2']);
    await close(self, fd);
  });
});

test('tun0 carries bare packets, point-to-point', async () => {
  await succeed(lab, 'alpha', 'ifconfig tun0 create; ifconfig tun0 10.9.0.1 10.9.0.2');
  const answering = program(async (self) => {
    const fd = await open(self, '/dev/tun0', O_RDWR);
    const packet = parseIp(await frameOf(self, fd));
    const payload = icmp(0, 0, packet.icmp!.rest, packet.icmp!.payload);
    await write(
      self,
      fd,
      ipv4({ source: '10.9.0.2', destination: '10.9.0.1', protocol: PROTOCOL.icmp, payload }),
    );
    expect(await errnoOf(write(self, fd, Buffer.alloc(20, 0x60)))).toBe(ERRNO.EAFNOSUPPORT);
    await close(self, fd);
    return packet;
  });
  await pass(1000);
  expect((await run(lab, 'alpha', 'ping -c 1 10.9.0.2')).out).toContain('1 packets received');
  expect(await answering).toMatchObject({ source: '10.9.0.1', destination: '10.9.0.2', checksumGood: true });
});

test('a program that does not read loses frames, and the stack goes on', async () => {
  await succeed(lab, 'alpha', 'ifconfig tun0 create; ifconfig tun0 10.9.0.1 10.9.0.2');
  await program(async (self) => {
    const fd = await open(self, '/dev/tun0', O_RDWR);
    for (let i = 0; i < 20; i++) await run(lab, 'alpha', 'ping -c 1 -w 1 -s 60000 10.9.0.2');
    await close(self, fd);
  });
  expect(await ifconfig('-v tun0')).toMatch(/output: \d+ packets, \d+ bytes, \d+ errors/);
});
