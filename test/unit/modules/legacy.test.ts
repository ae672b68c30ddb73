// Legacy drivers behind the shim: mounted like the rest, slower by design, unmounted by their path.
import { afterEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { TWO_NODES, labFrom, refusal, run, stopLab, succeed } from '../../support/lab.ts';

let lab: RunningLab;
afterEach(() => stopLab(lab));

const alpha = (...lines: string[]) => succeed(lab, 'alpha', ...lines);

const LEGACY = TWO_NODES.replace(
  'alpha: { stack: io-pkt-v4-hc',
  "alpha: { stack: 'io-pkt-v4-hc -d devn-vnic unit=0'",
);

test.each([
  { time: 'virtual' as const, threads: 1 },
  { time: 'real' as const, threads: 3 },
])('-d devn-vnic unit=0 serves the card of the lab file, in $time time', async (options) => {
  lab = await labFrom(LEGACY, options);
  expect(await alpha('mount')).toBe('devn-vnic.so on io-pkt (en0)\n');
  expect(await alpha('nicinfo en0')).toMatch(/devn-vnic\.so[^]*devnp-shim\.so/);
  expect(await alpha('ifconfig en0')).toContain('02:00:00:00:00:00');
  expect(await alpha('ping -c 3 -i 0.01 -s 1400 10.0.0.2')).toContain('3 packets received');
  await succeed(lab, 'beta', 'httpd -p 80 &', 'sleep 0.05');
  expect(await alpha('http get http://10.0.0.2/bytes/300000 | wc -c')).toContain('300000');
  expect(await alpha('nicinfo en0')).toMatch(/npkts_down\D+0\b/);
});

test('an interface with a legacy driver has a path, by which umount takes it away, and no other way', async () => {
  lab = await labFrom(TWO_NODES);
  await alpha('mount -T io-pkt devn-vnic.so', 'ifconfig en1 10.1.0.1/24 up');
  expect(await alpha('ls /dev/io-net')).toContain('en1');
  expect(await refusal(lab, 'alpha', 'ifconfig en1 destroy')).toContain(
    'en1 has a legacy driver, use: umount /dev/io-net/en1',
  );
  expect(await refusal(lab, 'alpha', 'umount /dev/io-net/en0')).toContain('use: ifconfig en0 destroy');
  await alpha('umount /dev/io-net/en1', 'sleep 0.1');
  expect(await alpha('ifconfig -l')).toBe('lo0 en0\n');
  expect(await alpha('sloginfo')).toContain('devn-vnic.so unloaded: en1 was its last interface');
  expect((await run(lab, 'alpha', 'umount /dev/io-net/en1')).err).toBe(
    'umount: /dev/io-net/en1: No such file or directory\n',
  );
});

test('a legacy driver has no jumbo frames', async () => {
  lab = await labFrom(LEGACY);
  expect(await refusal(lab, 'alpha', 'ifconfig en0 mtu 9000')).toContain('mtu 9000: en0 takes 72 to 1500');
});

test('a bare name means the native driver; a card of the lab file gets its cable back from either', async () => {
  lab = await labFrom(TWO_NODES);
  await alpha('mount -T io-pkt vnic', 'mount -T io-pkt devn-vnic');
  expect(await alpha('mount')).toBe('devnp-vnic.so on io-pkt (en0 en1)\ndevn-vnic.so on io-pkt (en2)\n');
  await alpha('ifconfig en0 destroy', 'mount -T io-pkt -o unit=0 devn-vnic.so', 'ifconfig en0 10.0.0.1/24');
  expect(await alpha('ping -c 1 10.0.0.2')).toContain('1 packets received');
  await alpha('umount /dev/io-net/en0', 'mount -T io-pkt vnic', 'ifconfig en0 10.0.0.1/24');
  expect(await alpha('ping -c 1 10.0.0.2')).toContain('1 packets received');
  expect(await alpha('mount')).toBe('devnp-vnic.so on io-pkt (en1 en0)\ndevn-vnic.so on io-pkt (en2)\n');
});

test('on a stack with a prefix the path is behind the prefix', async () => {
  lab = await labFrom(TWO_NODES);
  await alpha('io-pkt-v4-hc -i1 -d devn-vnic -ptcpip prefix=/alt');
  expect(await alpha('SOCK=/alt ifconfig -l')).toBe('lo0 en0\n');
  await alpha('umount /alt/dev/io-net/en0');
  expect(await alpha('SOCK=/alt ifconfig -l')).toBe('lo0\n');
});

test('what comes in changes the thread once more than with a native driver', async () => {
  const handled = async (text: string): Promise<number> => {
    lab = await labFrom(text, { time: 'virtual' });
    await alpha('ping -c 1 10.0.0.2');
    const before = lab.engine.virtual!.place.events;
    await alpha('ping -c 100 -i 0.001 10.0.0.2');
    const events = lab.engine.virtual!.place.events - before;
    await stopLab(lab);
    return events;
  };
  const native = await handled(TWO_NODES);
  const legacy = await handled(LEGACY);
  lab = await labFrom(TWO_NODES);
  expect(legacy).toBeGreaterThanOrEqual(native + 100);
});
