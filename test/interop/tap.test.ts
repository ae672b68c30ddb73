// Ports to the host: the Linux kernel is the peer. Everything happens in a network namespace of this test's own.
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FIRST_TAP_THREAD, whileTapsHeld } from '../../drivers/devnp-tap/device.ts';
import '../../drivers/devnp-tap/index.ts';
import { openTap } from '../../drivers/devnp-tap/open.ts';
import type { TapPort } from '../../drivers/devnp-tap/open.ts';
import { leakReport, mbuf, ownerTag } from '../../stack/memory/mbuf.ts';
import { mFromBytes } from '../../stack/memory/mbuf-chain.ts';
import { freeSource, sourceIsIdle } from '../../stack/runtime/source.ts';
import { deliver, plugs } from '../../stack/net/plug.ts';
import { requires } from '../support/requires.ts';
import { enterNetworkNamespace } from './support/network-namespace.ts';
import { run, runServed, startServing, until } from './support/serving.ts';
import { putHostOnWire } from './support/wire-host.ts';
import type { WireHost } from './support/wire-host.ts';

const HOST = '10.0.9.254';
const WIRE = '10.0.9.1';
const WIRE_NUMBER = 0x0a000901;
const wish = { name: 'sscope0', address: `${HOST}/24`, thread: FIRST_TAP_THREAD, home: 0 };

/** What the kernel has handed to the TAP, and what its queue had no room for. */
function fromKernel(): { packets: number; dropped: number } {
  const [link] = JSON.parse(run('ip', '-json', '-statistics', 'link', 'show', wish.name)) as [
    { stats64: { tx: { packets: number; dropped: number } } },
  ];
  return link.stats64.tx;
}

/** A program that sends so many numbered datagrams to the wire's host. */
function blast(count: number): string {
  return `
    const socket = require('dgram').createSocket('udp4');
    const bytes = Buffer.alloc(200);
    let n = 0;
    const next = () => {
      if (n === ${count}) return socket.close();
      bytes.writeUInt32BE(n++);
      socket.send(bytes, 9, '${WIRE}', next);
    };
    next();`;
}

const missing = requires({ tools: ['ip', 'ping', 'unshare', 'setpriv'], root: true, netns: true, tun: true });

describe.skipIf(missing)('a TAP of the host', () => {
  const open: TapPort[] = [];
  let wire: WireHost | undefined;

  async function openPort(options: Partial<typeof wish & { mtu: number }> = {}): Promise<TapPort> {
    const port = await openTap({ ...wish, ...options });
    open.push(port);
    const host = putHostOnWire(port.plug, WIRE_NUMBER);
    wire = host;
    whileTapsHeld(() => (plugs.get(port.plug).link = host.link));
    return port;
  }

  async function closeAll(): Promise<void> {
    for (const port of open.splice(0)) {
      whileTapsHeld(() => (plugs.get(port.plug).link = 0));
      await port.close();
    }
    if (wire === undefined) return;
    const { link } = wire;
    await until(() => sourceIsIdle(link));
    freeSource(link);
    wire = undefined;
  }

  beforeAll(() => {
    enterNetworkNamespace();
    return startServing();
  });
  afterEach(async () => {
    await closeAll();
    expect(leakReport()).toEqual(new Map());
  });

  it('answers the pings of the kernel, whole frames long', async () => {
    const port = await openPort();
    expect(port.carrier()).toBe(true);
    expect(plugs.get(port.plug).up).toBe(1);
    const shown = run('ip', 'address', 'show', wish.name);
    expect(shown).toContain('UP,LOWER_UP');
    expect(shown).toContain(`link/ether ${port.mac}`);
    expect(shown).toContain(`inet ${HOST}/24 brd 10.0.9.255 `);
    const text = await runServed('ping', '-c', '3', '-i', '0.05', '-s', '1472', '-M', 'do', WIRE);
    expect(text).toContain('3 packets transmitted, 3 received, 0% packet loss');
    expect(port.statistics()).toMatchObject({
      receiveDrops: 0,
      noBuffers: 0,
      tooLong: 0,
      sendErrors: 0,
      sent: 4,
    });
  });

  it('carries jumbo frames in several buffers', async () => {
    await openPort({ mtu: 9000 });
    const text = await runServed('ping', '-c', '3', '-i', '0.05', '-s', '8972', '-M', 'do', WIRE);
    expect(text).toContain('3 received, 0% packet loss');
  });

  it('takes a blast of datagrams from the kernel in order and accounts for each', async () => {
    const port = await openPort();
    await runServed('ping', '-c', '1', WIRE);
    const before = fromKernel();
    const started = performance.now();
    await runServed(process.execPath, '-e', blast(50_000));
    await until(() => port.statistics().received === fromKernel().packets);
    const seconds = (performance.now() - started) / 1000;
    const { packets, dropped } = fromKernel();
    await until(() => wire!.datagrams + port.statistics().receiveDrops >= 50_000 - dropped);
    console.log(
      `from the kernel: ${Math.round((packets - before.packets) / seconds)} frames/s, ${dropped} of 50000 lost in its queue`,
    );
    expect(wire!.outOfOrder).toBe(0);
    expect(wire!.datagrams + port.statistics().receiveDrops + dropped).toBe(50_000);
    // How many that are depends on what else the machine does: the kernel's queue holds a thousand.
    expect(wire!.datagrams).toBeGreaterThan(1000);
  });

  it('brings datagrams to a socket of the kernel', async () => {
    const port = await openPort();
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
    socket.bind(4000, HOST);
    await once(socket, 'listening');
    const seen: number[] = [];
    socket.on('message', (message) => seen.push(message.readUInt32BE()));
    const count = 500;
    for (let n = 0; n < count; n++) {
      const m = mFromBytes(ownerTag('test'), datagram(port.mac, n, 200), 2);
      expect(deliver(plugs.get(port.plug), m, m, 1)).toBe(0);
    }
    await until(() => seen.length === count);
    socket.close();
    expect(seen).toEqual(Array.from({ length: count }, (_, n) => n));
    expect(port.statistics().sent).toBeGreaterThanOrEqual(count);
  });

  it('writes a frame of very many buffers whole', async () => {
    const port = await openPort();
    const socket = createSocket('udp4');
    socket.bind(4000, HOST);
    await once(socket, 'listening');
    const bytes = datagram(port.mac, 7, 1400);
    const first = mFromBytes(ownerTag('test'), bytes.subarray(0, 14), 2);
    let last = first;
    for (let at = 14; at < bytes.length; at += 20) {
      const part = mFromBytes(ownerTag('test'), bytes.subarray(at, at + 20), 0);
      mbuf(part).flags = 0;
      mbuf(last).next = part;
      last = part;
    }
    mbuf(first).pktLen = bytes.length;
    deliver(plugs.get(port.plug), first, first, 1);
    const [message] = (await once(socket, 'message')) as [Buffer];
    socket.close();
    expect(message).toEqual(Buffer.from(bytes.subarray(42)));
  });

  it('closes at once, takes its interface along and opens again', async () => {
    for (let n = 0; n < 3; n++) {
      const port = await openPort();
      const started = performance.now();
      await closeAll();
      expect(performance.now() - started).toBeLessThan(300);
      expect(await port.ended).toBe('sscope0 was closed');
      expect(port.carrier()).toBe(false);
      expect(spawnSync('ip', ['link', 'show', wish.name]).status).not.toBe(0);
    }
  });

  it('says that another has it open', async () => {
    await openPort();
    await expect(openTap({ ...wish, thread: wish.thread + 1 })).rejects.toThrow(
      'TAP sscope0: another program has it open',
    );
  });

  it('gives each a thread of its own, sixteen at most', async () => {
    await openPort();
    await expect(openTap({ ...wish, name: 'sscope1' })).rejects.toThrow('thread 48 is not free for a TAP');
    await expect(openTap({ ...wish, name: 'sscope1', thread: FIRST_TAP_THREAD + 16 })).rejects.toThrow(
      'TAP sscope1: at most 16 TAPs can be open at a time',
    );
    const second = await openTap({
      ...wish,
      name: 'sscope1',
      address: '10.0.8.254/24',
      thread: wish.thread + 1,
    });
    open.push(second);
    expect(second.mac).not.toBe(open[0]!.mac);
  });

  it('says that an interface of that name is no TAP', async () => {
    run('ip', 'link', 'add', 'dummy7', 'type', 'bridge');
    await expect(openTap({ ...wish, name: 'dummy7' })).rejects.toThrow(
      'TAP dummy7: there is an interface of that name that is no TAP',
    );
  });

  it('loses its carrier when the interface is deleted on the host', async () => {
    const port = await openPort();
    run('ip', 'link', 'delete', wish.name);
    expect(await port.ended).toMatch(/^sscope0 was deleted on the host/);
    expect(port.carrier()).toBe(false);
    expect(plugs.get(port.plug).up).toBe(0);
  });

  it('keeps going while the interface is switched off on the host', async () => {
    const port = await openPort();
    run('ip', 'link', 'set', wish.name, 'down');
    const m = mFromBytes(ownerTag('test'), datagram(port.mac, 1, 100), 2);
    deliver(plugs.get(port.plug), m, m, 1);
    await until(() => port.statistics().sendErrors === 1);
    run('ip', 'link', 'set', wish.name, 'up');
    expect(await runServed('ping', '-c', '1', WIRE)).toContain('1 received');
  });

  it('leaves another address on the interface alone', async () => {
    run('ip', 'tuntap', 'add', 'dev', wish.name, 'mode', 'tap');
    run('ip', 'address', 'add', '10.9.9.9/16', 'dev', wish.name);
    await expect(openTap(wish)).rejects.toThrow('it has the address 10.9.9.9/16, not 10.0.9.254/24');
    run('ip', 'address', 'add', '10.0.9.254/24', 'dev', wish.name);
    await openPort();
    await closeAll();
    expect(run('ip', 'address', 'show', wish.name)).toContain('10.9.9.9/16');
    run('ip', 'tuntap', 'del', 'dev', wish.name, 'mode', 'tap');
  });
});

/** A UDP datagram from the wire's host to port 4000 of the kernel, in its frame; the payload begins with `sequence`. */
function datagram(mac: string, sequence: number, payload: number): Uint8Array {
  const frame = Buffer.alloc(42 + payload);
  Buffer.from(mac.replaceAll(':', ''), 'hex').copy(frame);
  frame.set([2, 0, 0, 0, 0, 1, 8, 0, 0x45], 6);
  frame.writeUInt16BE(28 + payload, 16);
  frame.set([64, 17], 22);
  frame.set([10, 0, 9, 1, 10, 0, 9, 254], 26);
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += frame.readUInt16BE(at);
  sum = (sum & 0xffff) + (sum >>> 16);
  frame.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 24);
  frame.writeUInt16BE(9, 34);
  frame.writeUInt16BE(4000, 36);
  frame.writeUInt16BE(8 + payload, 38);
  frame.writeUInt32BE(sequence, 42);
  return frame;
}

describe.skipIf(missing)('a TAP without privilege', () => {
  const built = join(import.meta.dirname, '../../dist/drivers/devnp-tap');

  /** Runs `body` with `openTap` and `wish` in a process that may not administer the network. */
  function runUnprivileged(body: string, ...drop: string[]) {
    const script = `
      import '${built}/index.js';
      import { openTap } from '${built}/open.js';
      const wish = ${JSON.stringify(wish)};
      try { ${body} } catch (error) { console.log(error.name + ': ' + error.message); }`;
    const argv = [...drop, process.execPath, '--input-type=module', '-e', script];
    return spawnSync('setpriv', argv, { encoding: 'utf8', timeout: 10_000 });
  }
  const noAdmin = ['--bounding-set=-net_admin', '--inh-caps=-net_admin'];

  it('says which commands make one', () => {
    const { stdout } = runUnprivileged('await openTap(wish);', ...noAdmin);
    expect(stdout.trim()).toBe(
      'TapError: TAP sscope0: making an interface takes CAP_NET_ADMIN. Make it once for your user: ' +
        'sudo ip tuntap add dev sscope0 mode tap user $USER && sudo ip addr add 10.0.9.254/24 dev sscope0 && sudo ip link set sscope0 up',
    );
  });

  it('attaches to one that was made so', () => {
    run('ip', 'tuntap', 'add', 'dev', wish.name, 'mode', 'tap', 'user', 'root');
    run('ip', 'address', 'add', wish.address, 'dev', wish.name);
    run('ip', 'link', 'set', wish.name, 'up');
    const { stdout } = runUnprivileged(
      'const port = await openTap(wish); console.log(port.carrier()); await port.close();',
      ...noAdmin,
    );
    expect(stdout.trim()).toBe('true');
    run('ip', 'tuntap', 'del', 'dev', wish.name, 'mode', 'tap');
  });

  it('says how to set the address of one that has none', () => {
    run('ip', 'tuntap', 'add', 'dev', wish.name, 'mode', 'tap', 'user', 'root');
    const { stdout } = runUnprivileged('await openTap(wish);', ...noAdmin);
    run('ip', 'tuntap', 'del', 'dev', wish.name, 'mode', 'tap');
    expect(stdout).toContain(
      'TAP sscope0: setting its address takes CAP_NET_ADMIN. Do it once: sudo ip addr add 10.0.9.254/24 dev sscope0',
    );
  });

  it('says that one belongs to another user', () => {
    run('ip', 'tuntap', 'add', 'dev', wish.name, 'mode', 'tap', 'user', 'nobody');
    const { stdout } = runUnprivileged('await openTap(wish);', ...noAdmin);
    run('ip', 'tuntap', 'del', 'dev', wish.name, 'mode', 'tap');
    expect(stdout).toContain(
      'TAP sscope0: it belongs to another user. Make it anew for yours: sudo ip tuntap del',
    );
  });

  it('does not hold up a process that exits with it open', () => {
    const { status } = runUnprivileged('await openTap(wish); process.exit(7);');
    expect(status).toBe(7);
  });
});
