// Stacks and interfaces that come and go while the lab runs: several per node, restarts, cards that are loaded and destroyed, under traffic.
import { afterEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { callStack } from '../../../stack/kernel/stack-client.ts';
import { ERRNO } from '../../../stack/runtime/messages/errno.ts';
import { AF_INET, OP, SOCK_DGRAM } from '../../../stack/runtime/messages/request.ts';
import * as libsocket from '../../../stack/socket/libsocket.ts';
import { ETHERTYPE, PROTOCOL, Peer, arp, ether, icmp, ipv4, pass } from '../../support/frames.ts';
import { TWO_NODES, labFrom, nodeOf, run, stopLab } from '../../support/lab.ts';
import { asProgram, startCommand } from '../socket/programs.ts';

const SECOND = 1e9;
let lab: RunningLab;
let peer: Peer | undefined;
afterEach(async () => {
  peer?.leave();
  peer = undefined;
  await stopLab(lab);
});

const expectOk = async (node: string, line: string): Promise<string> => {
  const { status, out, err } = await run(lab, node, line);
  expect(`${line}: ${err}${status}`).toBe(`${line}: 0`);
  return out;
};

test('a second stack has interfaces, addresses and routes of its own', async () => {
  lab = await labFrom(TWO_NODES);
  await expectOk('alpha', 'io-pkt-v4-hc -i1 -d vnic name=en,unit=7 -ptcpip prefix=/alt');
  await expectOk('alpha', 'SOCK=/alt ifconfig en7 192.168.7.1/24');
  expect(await expectOk('alpha', 'SOCK=/alt ifconfig -a')).toContain('192.168.7.1');
  expect(await expectOk('alpha', 'ifconfig -a')).not.toContain('192.168.7.1');
  expect(await expectOk('alpha', 'SOCK=/alt netstat -rn')).not.toContain('10.0.0');
  expect((await run(lab, 'alpha', 'SOCK=/alt ping -c 1 10.0.0.2')).status).not.toBe(0);
  await expectOk('alpha', 'ping -c 1 10.0.0.2');
  expect(await expectOk('alpha', 'ls /alt/dev')).toContain('socket');
});

test('a prefix belongs to one stack', async () => {
  lab = await labFrom(TWO_NODES);
  const { status, err } = await run(lab, 'alpha', 'io-pkt-v4-hc');
  expect(status).not.toBe(0);
  expect(err).toContain('prefix');
});

test('a stack that is slain and started again is on its cable as before', async () => {
  lab = await labFrom(TWO_NODES);
  for (let i = 0; i < 3; i++) {
    await expectOk('alpha', 'slay io-pkt-v4-hc');
    expect((await run(lab, 'alpha', 'ifconfig en0')).err).toContain('no network manager');
    expect(await expectOk('beta', 'ifconfig en0')).toContain('no carrier');
    await expectOk('alpha', 'io-pkt-v4-hc');
    await expectOk('alpha', 'ifconfig en0 10.0.0.1/24');
    await expectOk('beta', 'ping -c 1 10.0.0.1');
  }
});

test('programs that wait on a stack that is slain end with an error', async () => {
  lab = await labFrom(TWO_NODES);
  const waiting = ['nc -l 5000', 'ttcp -r -s', 'ping -c 100 10.0.0.2', 'nc -u -l 5001'].map((line) =>
    run(lab, 'alpha', line),
  );
  await pass(2.5 * SECOND);
  await expectOk('alpha', 'slay io-pkt-v4-hc');
  for (const { status } of await Promise.all(waiting)) expect(status).not.toBe(0);
});

test('a socket ends with its stack: it is not the socket of another program on the next one', async () => {
  lab = await labFrom(TWO_NODES);
  const alpha = nodeOf(lab, 'alpha');
  await asProgram(alpha, async (self) => {
    const old = await libsocket.socket(self, AF_INET, SOCK_DGRAM, 0);
    await libsocket.bind(self, old, { address: 0, port: 1000 });
    await expectOk('alpha', 'slay io-pkt-v4-hc');
    await expectOk('alpha', 'io-pkt-v4-hc');
    await asProgram(alpha, async (other) => {
      const next = await libsocket.socket(other, AF_INET, SOCK_DGRAM, 0);
      await libsocket.bind(other, next, { address: 0, port: 2000 });
      await expect(libsocket.getsockname(self, old)).rejects.toMatchObject({ code: 'ENXIO' });
      await expect(libsocket.recv(self, old, 10)).rejects.toMatchObject({ code: 'ENXIO' });
      await libsocket.close(self, old);
      expect((await libsocket.getsockname(other, next)).port).toBe(2000);
    });
  });
});

test('calls that are given up while their stack ends are answered once, and leave the next ones alone', async () => {
  lab = await labFrom(TWO_NODES);
  const alpha = nodeOf(lab, 'alpha');
  const waiting = [5000, 5001, 5002].map((port) => startCommand(alpha, `nc -u -l ${port}`));
  await pass(SECOND);
  const { address } = [...alpha.stacks.values()][0]!;
  await expectOk('alpha', 'slay io-pkt-v4-hc');
  const call = callStack(address, { op: OP.socket, a: AF_INET, b: SOCK_DGRAM });
  call.cancel();
  call.cancel();
  expect((await call.reply).status).toBe(ERRNO.ENXIO);
  for (const { process } of waiting) expect(await process.exited).not.toBe(0);
  await expectOk('alpha', 'io-pkt-v4-hc');
  await expectOk('alpha', 'ifconfig en0 10.0.0.1/24');
  const pings = [1, 2, 3, 4].map(() => run(lab, 'alpha', 'ping -c 2 -i 0.1 10.0.0.2'));
  for (const { out } of await Promise.all(pings)) expect(out).toContain('2 packets received');
});

test('a stack may be slain at any moment of heavy traffic in both directions', async () => {
  lab = await labFrom(TWO_NODES);
  for (let round = 0; round < 12; round++) {
    const traffic = [
      run(lab, 'beta', 'ttcp -r -s'),
      run(lab, 'alpha', 'sleep 0.001; ttcp -t -s -n 4096 10.0.0.2'),
      run(lab, 'alpha', 'ttcp -r -s -u -l 1400'),
      run(lab, 'beta', 'ttcp -t -s -u -l 1400 -n 5000 10.0.0.1'),
      run(lab, 'beta', 'ping -c 3 -s 60000 -i 0.01 10.0.0.1'),
    ];
    // Not by the lab's clock: at whatever point of the work the event loop gets its turn.
    for (let turn = 0; turn < 20 + round * 7; turn++) await new Promise((resolve) => setImmediate(resolve));
    await expectOk('alpha', 'slay io-pkt-v4-hc');
    await run(lab, 'beta', 'slay ttcp; slay ping');
    await Promise.all(traffic);
    await expectOk('alpha', 'io-pkt-v4-hc');
    await expectOk('alpha', 'ifconfig en0 10.0.0.1/24');
    await expectOk('beta', 'ping -c 1 10.0.0.1');
  }
});

test('a driver is loaded into a running stack, and its interface destroyed', async () => {
  lab = await labFrom(TWO_NODES);
  await expectOk('alpha', 'mount -T io-pkt devnp-vnic.so');
  await expectOk('alpha', 'ifconfig en1 172.16.0.1/16');
  const listed = await expectOk('alpha', 'ifconfig en1');
  expect(listed).toContain('172.16.0.1');
  expect(listed).toContain('no carrier');
  await expectOk('alpha', 'ifconfig en1 destroy');
  expect((await run(lab, 'alpha', 'ifconfig en1')).status).not.toBe(0);
  expect(await expectOk('alpha', 'netstat -rn')).not.toContain('172.16');
  await expectOk('alpha', 'mount -T io-pkt -o unit=5,mac=02:11:22:33:44:55 devnp-vnic.so');
  expect(await expectOk('alpha', 'ifconfig en5')).toContain('02:11:22:33:44:55');
  await expectOk('alpha', 'ping -c 1 10.0.0.2');
});

test('the card of a cable is destroyed, with fragments of it waiting, and a new stack takes the cable again', async () => {
  lab = await labFrom(TWO_NODES);
  peer = await Peer.at(lab, 'beta', 'wire', 1);
  const mac = lab.findInterface('alpha', 'en0')!;
  const me = '02:00:00:00:00:99';
  const alpha = Buffer.from('020000000000', 'hex');
  expect(mac).toBeDefined();
  const fragment = ipv4({
    source: '10.0.0.2',
    destination: '10.0.0.1',
    protocol: PROTOCOL.icmp,
    payload: icmp(8, 0, 1, Buffer.alloc(24)),
    more: true,
  });
  peer.send(ether(alpha.toString('hex'), me, ETHERTYPE.ip, fragment));
  await pass(1000);
  expect(await expectOk('alpha', 'netstat -s -p ip')).toMatch(/1 fragments received/);
  await expectOk('alpha', 'ifconfig en0 destroy');
  // They go with the card, and nothing can be said over one that is gone.
  await pass(40 * SECOND);
  expect(await expectOk('alpha', 'netstat -s -p ip')).toMatch(/1 fragments dropped \(dup or out of space\)/);
  await expectOk('alpha', 'slay io-pkt-v4-hc');
  await expectOk('alpha', 'io-pkt-v4-hc');
  await expectOk('alpha', 'ifconfig en0 10.0.0.1/24');
  const [request] = await peer
    .exchange([
      ether(
        'ff:ff:ff:ff:ff:ff',
        me,
        ETHERTYPE.arp,
        arp({ op: 'request', senderMac: me, sender: '10.0.0.2', target: '10.0.0.1' }),
      ),
    ])
    .then((frames) => frames.filter((frame) => frame.arp?.op === 'reply'));
  expect(request?.arp).toMatchObject({ sender: '10.0.0.1', target: '10.0.0.2' });
});

test('an interface may be destroyed at any moment of heavy traffic', async () => {
  lab = await labFrom(TWO_NODES);
  for (let round = 0; round < 8; round++) {
    const traffic = [
      run(lab, 'alpha', 'ttcp -r -s -u -l 1400'),
      run(lab, 'beta', 'ttcp -t -s -u -l 1400 -n 3000 10.0.0.1'),
      run(lab, 'beta', 'ping -c 2 -s 60000 -i 0.01 10.0.0.1'),
    ];
    for (let turn = 0; turn < 15 + round * 9; turn++) await new Promise((resolve) => setImmediate(resolve));
    await expectOk('alpha', 'ifconfig en0 destroy');
    await run(lab, 'alpha', 'slay ttcp');
    await run(lab, 'beta', 'slay ttcp; slay ping');
    await Promise.all(traffic);
    await expectOk('alpha', 'slay io-pkt-v4-hc');
    await expectOk('alpha', 'io-pkt-v4-hc');
    await expectOk('alpha', 'ifconfig en0 10.0.0.1/24');
    await expectOk('beta', 'ping -c 1 10.0.0.1');
  }
});

test('loopback interfaces are created and destroyed; lo0 stays', async () => {
  lab = await labFrom(TWO_NODES);
  await expectOk('alpha', 'ifconfig lo1 create');
  await expectOk('alpha', 'ifconfig lo1 10.9.9.1/24');
  await expectOk('alpha', 'ping -c 1 10.9.9.1');
  // Nobody answers for the rest of its network.
  expect((await run(lab, 'alpha', 'ping -c 2 -i 0.1 10.9.9.7')).status).not.toBe(0);
  expect((await run(lab, 'alpha', 'ifconfig lo1 create')).err).toMatch(/exists/i);
  await expectOk('alpha', 'ifconfig lo1 destroy');
  expect((await run(lab, 'alpha', 'ifconfig lo1')).status).not.toBe(0);
  expect((await run(lab, 'alpha', 'ifconfig lo0 destroy')).status).not.toBe(0);
  expect((await run(lab, 'alpha', 'ifconfig en9 create')).status).not.toBe(0);
});

test('a capture outlives the interface that it looks at', async () => {
  lab = await labFrom(TWO_NODES);
  const seen: string[] = [];
  const places = lab.places().filter(({ kind }) => kind === 'interface');
  const capture = lab.captures.listen(places, 100, ({ point, direction }) =>
    seen.push(`${point.name} ${direction}`),
  );
  await expectOk('alpha', 'ping -c 1 10.0.0.2');
  lab.captures.drain();
  const before = seen.length;
  expect(new Set(seen)).toContain('alpha:en0 outbound');
  await expectOk('alpha', 'slay io-pkt-v4-hc');
  await expectOk('alpha', 'io-pkt-v4-hc -i3');
  await expectOk('alpha', 'mount -T io-pkt3 devnp-vnic.so');
  await expectOk('alpha', 'ifconfig en0 10.0.0.1/24');
  await expectOk('beta', 'ping -c 1 10.0.0.1');
  capture.stop();
  expect(seen.length).toBeGreaterThan(before);
  await expectOk('beta', 'ping -c 1 10.0.0.1');
  const after = seen.length;
  lab.captures.drain();
  expect(seen.length).toBe(after);
});

test('ifconfig down takes the routes and the carrier, up brings them back', async () => {
  lab = await labFrom(TWO_NODES);
  await expectOk('alpha', 'route add -net 10.5.0.0/16 10.0.0.2');
  await expectOk('alpha', 'ping -c 1 10.0.0.2');
  await expectOk('alpha', 'ifconfig en0 down');
  expect(await expectOk('alpha', 'netstat -rn')).not.toMatch(/10\.[05]\./);
  expect(await expectOk('alpha', 'arp -an')).not.toContain('10.0.0.2');
  expect(await expectOk('beta', 'ifconfig en0')).toContain('no carrier');
  expect((await run(lab, 'alpha', 'ping -c 1 10.0.0.2')).status).not.toBe(0);
  expect((await run(lab, 'beta', 'ping -c 1 10.0.0.1')).out).toContain('0 packets received');
  await expectOk('alpha', 'ifconfig en0 up');
  expect(await expectOk('beta', 'ifconfig en0')).toMatch(/status: active/);
  await expectOk('beta', 'ping -c 1 10.0.0.1');
  expect(await expectOk('alpha', 'netstat -rn')).toContain('10.0.0');
});

test('lo0 down and up', async () => {
  lab = await labFrom(TWO_NODES);
  await expectOk('alpha', 'ping -c 1 127.0.0.1');
  await expectOk('alpha', 'ifconfig lo0 down');
  expect((await run(lab, 'alpha', 'ping -c 1 127.0.0.1')).status).not.toBe(0);
  await expectOk('alpha', 'ifconfig lo0 up');
  await expectOk('alpha', 'ping -c 1 -s 65507 127.0.0.1');
});

test('bad options and drivers of io-pkt are logged, and the stack runs without them', async () => {
  lab = await labFrom(`
name: options
nodes:
  alpha: { stack: 'io-pkt-v4-hc -d nothere -d vnic name=en,unit=3,frobnicate=1 -ptcpip forward,nonsense -p qnet', interfaces: [en0] }
`);
  const log = await expectOk('alpha', 'sloginfo');
  for (const word of ['nothere', 'frobnicate', 'nonsense', 'qnet']) expect(log).toContain(word);
  expect(await expectOk('alpha', 'ifconfig -l')).toMatch(/en0.*en3|en3.*en0/);
  expect(await expectOk('alpha', 'sysctl net.inet.ip.forwarding')).toContain('1');
});
