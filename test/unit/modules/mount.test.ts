// Modules that are loaded, listed and unloaded: what a name means, options, refusals, and what the system log says of it.
import { afterEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { filesMeant } from '../../../stack/io-pkt/modules.ts';
import { TWO_NODES, labFrom, run, stopLab } from '../../support/lab.ts';

let lab: RunningLab;
afterEach(() => stopLab(lab));

const alpha = (line: string) => run(lab, 'alpha', line);

async function expectOk(line: string): Promise<string> {
  const { status, out, err } = await alpha(line);
  expect(`${line}: ${err}${status}`).toBe(`${line}: 0`);
  return out;
}

test('a bare name is tried as a native driver, then a legacy one, then a protocol; a path is one file', async () => {
  lab = await labFrom(TWO_NODES);
  expect(filesMeant('vnic')).toEqual(['devnp-vnic', 'devn-vnic', 'lsm-vnic']);
  expect(filesMeant('vnic.so', 'driver')).toEqual(['devnp-vnic', 'devn-vnic']);
  expect(filesMeant('slip', 'protocol')).toEqual(['lsm-slip']);
  expect(filesMeant('devn-vnic.so', 'driver')).toEqual(['devn-vnic']);
  expect(filesMeant('/lib/dll/devnp-vnic.so')).toEqual(['devnp-vnic']);
  expect(filesMeant('/tmp/devnp-vnic.so')).toEqual([]);
  expect(filesMeant('/lib/dll/vnic.so')).toEqual(['vnic']);
  await expectOk('mount -T io-pkt /lib/dll/devnp-vnic.so');
  expect(await expectOk('ifconfig -l')).toBe('lo0 en0 en1\n');
  expect((await alpha('mount -T io-pkt /lib/dll/vnic.so')).err).toContain('No such file');
});

test('a module that is not there: mount fails and says what there is, the log has an entry, io-pkt goes on', async () => {
  lab = await labFrom(TWO_NODES);
  const { status, err } = await alpha('mount -T io-pkt devnp-nothere.so');
  expect(status).toBe(1);
  expect(err).toMatch(/^mount: devnp-nothere\.so: No such file or directory; modules here: .*devnp-vnic\.so/);
  expect(await expectOk('sloginfo')).toMatch(/ 2 io-pkt-v4-hc +mount devnp-nothere\.so: No such file/);
  await expectOk('ping -c 1 10.0.0.2');
});

test('options that are not known or cannot be read are logged, never fatal', async () => {
  lab = await labFrom(TWO_NODES);
  await expectOk('mount -T io-pkt -o frobnicate=1,unit=x,mac=02:11:22:33:44:55,priority=99 devnp-vnic.so');
  expect(await expectOk('ifconfig en1')).toContain('02:11:22:33:44:55');
  const log = await expectOk('sloginfo');
  expect(log).toContain('mount devnp-vnic.so: options not known and ignored: frobnicate');
  expect(log).toContain('mount devnp-vnic.so: unit=x ignored: a whole number from 0 to 32767 is expected');
  expect(log).toContain('priority=99 ignored');
  const { out, err } = await alpha('mount -v -T io-pkt -o colour=red devnp-vnic.so');
  expect(out).toBe('devnp-vnic.so: en2\n');
  expect(err).toContain('colour');
});

test('option lists have no spaces: the rest is something else', async () => {
  lab = await labFrom(TWO_NODES);
  const { status, err } = await alpha('mount -T io-pkt -o unit=5, mac=02:11:22:33:44:55 devnp-vnic.so');
  expect(status).toBe(1);
  expect(err).toMatch(/'devnp-vnic.so' is too much; options are one word with commas and no spaces/);
  const started = await alpha('io-pkt-v4-hc -i1 -d vnic unit=5, lan=6 -ptcpip prefix=/alt');
  expect(started.status).not.toBe(0);
  expect(started.err).toContain("'lan=6' is too much");
});

test('names that are taken and names that cannot be are refused, and nothing is left behind', async () => {
  lab = await labFrom(TWO_NODES);
  expect((await alpha('mount -T io-pkt -o unit=0 devnp-vnic.so')).err).toBe(
    'mount: devnp-vnic.so: en0: File exists\n',
  );
  const { err } = await alpha('mount -T io-pkt -o name=En devnp-vnic.so');
  expect(err).toContain('name=En: small letters and digits make the name of an interface');
  expect((await alpha('mount -T io-pkt -o tap=x devnp-tap.so')).err).toContain('real time');
  expect(await expectOk('ifconfig -l')).toBe('lo0 en0\n');
});

test('types: io-pkt is the stack without a number, io-pktN the one of -iN', async () => {
  lab = await labFrom(TWO_NODES);
  await expectOk('io-pkt-v4-hc -i1 -ptcpip prefix=/alt');
  await expectOk('mount -T io-pkt1 vnic');
  expect(await expectOk('SOCK=/alt ifconfig -l')).toBe('lo0 en0\n');
  expect(await expectOk('mount')).toBe('devnp-vnic.so on io-pkt (en0)\ndevnp-vnic.so on io-pkt1 (en0)\n');
  expect((await alpha('mount -T io-pkt2 vnic')).err).toContain('no network manager of type io-pkt2');
  expect((await alpha('mount -T qnx4 vnic')).err).toContain("type 'qnx4'");
});

test('a driver is unloaded when its last interface is gone', async () => {
  lab = await labFrom(TWO_NODES);
  await expectOk('mount -T io-pkt vnic');
  await expectOk('ifconfig en0 destroy');
  await expectOk('sleep 0.1');
  expect(await expectOk('sloginfo')).not.toContain('unloaded');
  await expectOk('ifconfig en1 destroy');
  await expectOk('sleep 0.1');
  expect(await expectOk('sloginfo')).toMatch(/ 5 io-pkt-v4-hc +devnp-vnic.so unloaded: en1 was its last/);
  expect(await expectOk('mount')).toBe('');
  await expectOk('mount -T io-pkt vnic');
  expect(await expectOk('mount')).toBe('devnp-vnic.so on io-pkt (en0)\n');
});

test('umount is for legacy drivers: native interfaces have no path, and it says what to do', async () => {
  lab = await labFrom(TWO_NODES);
  const { status, err } = await alpha('umount /dev/io-net/en0');
  expect(status).toBe(1);
  expect(err).toBe(
    'umount: /dev/io-net/en0: No such file or directory; the driver of en0 is native and has no path, use: ifconfig en0 destroy\n',
  );
  expect((await alpha('umount /dev/io-net/en7')).err).toBe(
    'umount: /dev/io-net/en7: No such file or directory\n',
  );
  expect((await alpha('umount /dev/null')).err).toContain('only interfaces of legacy drivers');
  await expectOk('ping -c 1 10.0.0.2');
});

test('/lib/dll has the modules, and use tells their options', async () => {
  lab = await labFrom(TWO_NODES);
  expect(await expectOk('ls /lib/dll')).toContain('devnp-vnic.so');
  const text = await expectOk('use devnp-vnic.so');
  expect(text).toContain('virtual card of the lab (driver)');
  expect(text).toMatch(/name=text +base name of the interface/);
  expect((await alpha('use devnp-other.so')).status).toBe(1);
});

test('-d is for drivers, -p for protocols', async () => {
  lab = await labFrom(
    TWO_NODES.replace('stack: io-pkt-v4-hc', "stack: 'io-pkt-v4-hc -p devnp-vnic.so -d nothere unit=3'"),
  );
  const log = await expectOk('sloginfo');
  expect(log).toContain('-p devnp-vnic.so: a driver module is loaded with -d');
  expect(log).toContain('-d nothere: No such file or directory');
  expect(await expectOk('ifconfig -l')).toBe('lo0 en0\n');
});
