// The words of route(8).
import { expect, test } from 'vitest';
import { createNode } from '../../../stack/kernel/node.ts';
import { spawn } from '../../../stack/kernel/process.ts';
import { inetNtoa } from '../../../stack/socket/inet.ts';
import { readRoute } from '../../../stack/utilities/route-words.ts';
import type { RouteRequest } from '../../../stack/utilities/route-words.ts';

/** Reads words as a program of a node does. */
async function read(line: string): Promise<RouteRequest> {
  const node = createNode({ name: 'alpha' });
  let request: Promise<RouteRequest> | undefined;
  const reader = spawn(
    node,
    async (self) => {
      request = readRoute(self, line.split(' '));
      await request.catch(() => undefined);
      return 0;
    },
    { argv: ['route'] },
  );
  await reader.exited;
  await node.shutdown();
  return request!;
}

test.each([
  ['default 10.0.0.254', '0.0.0.0', '0.0.0.0', '10.0.0.254'],
  ['10.1.0.0/16 10.0.0.254', '10.1.0.0', '255.255.0.0', '10.0.0.254'],
  ['-net 10.1 -netmask 255.255.0.0 10.0.0.254', '10.1.0.0', '255.255.0.0', '10.0.0.254'],
  ['-net 10.1.2.3/16 10.0.0.254', '10.1.0.0', '255.255.0.0', '10.0.0.254'],
  ['10.0.0.0 10.9.9.9', '10.0.0.0', '255.0.0.0', '10.9.9.9'],
  ['10.0.5.5 10.0.0.254', '10.0.5.5', '255.255.255.255', '10.0.0.254'],
  ['-host 10.0.0.0 10.0.0.254', '10.0.0.0', '255.255.255.255', '10.0.0.254'],
  ['192.168.7.0 10.0.0.254 0xffffff80', '192.168.7.0', '255.255.255.128', '10.0.0.254'],
  ['-net 0.0.0.0 10.0.0.254', '0.0.0.0', '0.0.0.0', '10.0.0.254'],
])('%s', async (line, destination, netmask, gateway) => {
  const request = await read(line);
  expect(inetNtoa(request.destination)).toBe(destination);
  expect(inetNtoa(request.netmask)).toBe(netmask);
  expect(inetNtoa(request.gateway!)).toBe(gateway);
  expect(request.isHost).toBe(netmask === '255.255.255.255');
});

test('networks on an interface, and routes that lead nowhere', async () => {
  expect(await read('10.5.0.0/16 -interface en0')).toMatchObject({ interface: 'en0', reject: false });
  expect(await read('10.5.0.0/16 10.0.0.1 -ifp en1')).toMatchObject({
    interface: 'en1',
    gateway: 0x0a000001,
  });
  expect(await read('10.5.0.0/16 127.0.0.1 -reject')).toMatchObject({ reject: true, blackhole: false });
  expect(await read('10.5.0.0/16 -blackhole')).toMatchObject({ blackhole: true });
});

test.each([
  ['-frobnicate 10.0.0.1', "unknown modifier '-frobnicate'"],
  ['10.0.0.0/8 -netmask', "'-netmask' requires a netmask"],
  ['10.0.0.0/8 nowhere', 'nowhere: bad value'],
  ['10.0.0.0/40 10.0.0.1', 'the prefix length must be'],
  ['-interface 10.0.0.0/8', '-interface needs'],
])('%s is refused: %s', async (line, text) => {
  await expect(read(line)).rejects.toThrow(text);
});
