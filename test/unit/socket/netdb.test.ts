// Names of hosts and services.
import { expect, test } from 'vitest';
import { createNode } from '../../../stack/kernel/node.ts';
import { writeFile } from '../../../stack/kernel/files.ts';
import { spawn } from '../../../stack/kernel/process.ts';
import {
  hostByAddress,
  hostByName,
  parseHosts,
  serviceByName,
  serviceByPort,
} from '../../../stack/socket/netdb.ts';

test('a hosts file is read with its comments, aliases and lines that are none', () => {
  const text = '# hosts\n10.0.0.2\tbeta www # the server\n\nnonsense here\n10.0.0.3\n';
  expect(parseHosts(text)).toEqual([{ address: 0x0a000002, names: ['beta', 'www'] }]);
});

test('names and addresses are looked up in the /etc/hosts of the node', async () => {
  const node = createNode({ name: 'alpha' });
  const program = spawn(
    node,
    async (self) => {
      expect(await hostByName(self, 'localhost')).toBe(0x7f000001);
      await writeFile(self, '/etc/hosts', '10.0.0.2 beta www\n');
      expect(await hostByName(self, 'WWW')).toBe(0x0a000002);
      expect(await hostByName(self, '192.168.1.1')).toBe(0xc0a80101);
      expect(await hostByName(self, 'gamma')).toBeUndefined();
      expect(await hostByAddress(self, 0x0a000002)).toBe('beta');
      return 0;
    },
    { argv: ['lookup'] },
  );
  expect(await program.exited).toBe(0);
  await node.shutdown();
});

test('services by name and number', () => {
  expect(serviceByName('http')).toBe(80);
  expect(serviceByName('8081')).toBe(8081);
  expect(serviceByName('65536')).toBeUndefined();
  expect(serviceByName('nosuch')).toBeUndefined();
  expect(serviceByPort(443)).toBe('https');
  expect(serviceByPort(5001)).toBeUndefined();
});
