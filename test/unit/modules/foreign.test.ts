// Modules from outside the project: the samples, copied to another folder, in real and virtual time, and modules that are broken in every way.
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { moduleRecords } from '../../../stack/net/module-record.ts';
import { TWO_NODES, labFrom, refusal, run, stopLab, succeed } from '../../support/lab.ts';

const folder = mkdtempSync(join(tmpdir(), 'stackscope-modules-'));
const samples = join(folder, 'samples');
const own = join(folder, 'own');
beforeAll(() => {
  cpSync(fileURLToPath(new URL('../../../main/examples/modules', import.meta.url)), samples, {
    recursive: true,
  });
  mkdirSync(own);
});
afterAll(() => rmSync(folder, { recursive: true }));

let lab: RunningLab;
afterEach(async () => {
  await stopLab(lab);
  expect(moduleRecords.report().inUse).toBe(0);
});

const alpha = (...lines: string[]) => succeed(lab, 'alpha', ...lines);
const beta = (...lines: string[]) => succeed(lab, 'beta', ...lines);
const log = (node = 'alpha') => succeed(lab, node, 'sloginfo');

/** A module file whose default export is `text`. */
function write(file: string, text: string, before = ''): void {
  writeFileSync(join(own, `${file}.mjs`), `${before}\nexport default ${text};\n`);
}

const driver = (name: string, more: string): string => `{
  kind: 'driver', name: '${name}', description: 'test', start(card) { let m; while ((m = card.take())) card.free(m); }, process() {},
  attach(side) { side.attachCard({ base: '${name}' }); }, ${more} }`;
const protocol = (name: string, more: string): string =>
  `{ kind: 'protocol', name: '${name}', description: 'test', attach() {}, ${more} }`;

describe.each([
  { time: 'virtual' as const, threads: 1 },
  { time: 'real' as const, threads: 3 },
])('the samples, in $time time', ({ time, threads }) => {
  test('a driver of one’s own joins two nodes', async () => {
    lab = await labFrom(TWO_NODES, { time, threads, modules: [samples] });
    for (const [node, address] of [
      ['alpha', '10.9.0.1'],
      ['beta', '10.9.0.2'],
    ] as const) {
      await succeed(lab, node, 'mount -T io-pkt -o cable=7 devnp-pipe.so', `ifconfig pipe0 ${address}/24 up`);
    }
    expect(await alpha('ping -c 3 -i 0.01 10.9.0.2')).toContain('3 packets received');
    expect(await alpha('nicinfo pipe0')).toContain('devnp-pipe.so');
    await beta('httpd -p 80 &', 'sleep 0.05');
    expect(await alpha('http get http://10.9.0.2/bytes/300000 | wc -c')).toContain('300000');
    expect(await alpha('use devnp-pipe.so')).toMatch(/cable=number +number of the cable/);
    await beta('ifconfig pipe0 destroy', 'sleep 0.1');
    expect(await log('beta')).toContain('devnp-pipe.so unloaded: pipe0 was its last interface');
    expect((await run(lab, 'alpha', 'ping -c 1 -w 1 10.9.0.2')).status).not.toBe(0);
  });

  test('a protocol of one’s own greets, and has a path', async () => {
    lab = await labFrom(TWO_NODES, { time, threads, modules: [samples] });
    await alpha('mount -T io-pkt -o text=hi lsm-hello.so');
    await beta('mount -T io-pkt lsm-hello.so', 'sleep 1.1');
    expect(await beta('cat /dev/hello')).toMatch(/heard \d+, last hi\n/);
    expect(await alpha('cat /dev/hello')).toMatch(/heard \d+, last hello\n/);
    await alpha('echo good morning > /dev/hello');
    await beta('sleep 1.1');
    expect(await beta('cat /dev/hello')).toMatch(/last good morning\n/);
    expect(await refusal(lab, 'alpha', `echo ${'x'.repeat(60)} > /dev/hello`)).toContain('Invalid argument');
    await alpha('sleep 0.01');
    expect(await log()).toContain('write: a greeting has at most 39 bytes, not 60');
    expect(await refusal(lab, 'alpha', 'mount -T io-pkt lsm-hello.so')).toContain('loaded already');
  });
});

test.each([
  [
    'lsm-throws',
    'throws when it is imported',
    protocol('throws', ''),
    'throw new Error("no licence");',
    'no licence',
  ],
  ['lsm-syntax', 'cannot be parsed', '{ kind: ', '', 'syntax'],
  ['lsm-other', 'is called otherwise', protocol('another', ''), '', 'its file must be lsm-another'],
  [
    'lsm-kind',
    'is of no kind',
    '{ kind: "firewall" }',
    '',
    'its kind is "firewall"; it must be "driver" or "protocol"',
  ],
  [
    'lsm-attach',
    'throws in attach()',
    protocol('attach', 'attach() { throw new Error("no such device") }'),
    '',
    'no such device',
  ],
  [
    'lsm-claims',
    'claims what is taken',
    protocol('claims', 'input() {}, attach(self) { self.claimEtherType(0x800) }'),
    '',
    'EtherType 0x800: File exists',
  ],
  ['devnp-nothing', 'finds no device', driver('nothing', 'attach() {}'), '', 'found no device'],
  [
    'devnp-half',
    'fails when half is done',
    driver('half', 'attach(side) { side.attachCard(); throw new Error("half") }'),
    '',
    'half',
  ],
  ['devnp-nostart', 'lacks what it must have', driver('nostart', 'start: undefined'), '', 'its start'],
])(
  '%s.mjs %s: mount says so, the log has it, nothing is left behind',
  async (file, _what, text, before, reason) => {
    write(file, text, before);
    lab = await labFrom(TWO_NODES, { modules: [own] });
    expect(await refusal(lab, 'alpha', `mount -T io-pkt ${file}.so`)).toContain(reason);
    expect(await log()).toContain(reason);
    expect(await alpha('ifconfig -l')).toBe('lo0 en0\n');
    expect(await alpha('mount')).toBe('devnp-vnic.so on io-pkt (en0)\n');
    expect(moduleRecords.report().inUse).toBe(0);
    await alpha('ping -c 1 10.0.0.2');
  },
);

test.each([
  ['start', 'start() { throw new Error("boom") }'],
  [
    'process',
    'start(card) { let m; while ((m = card.take())) card.free(m); card.raise(); }, process() { throw new Error("boom") }',
  ],
  ['start', 'start(card) { const m = card.take(); card.free(m); card.free(m); }'],
  ['start', 'start() {}'],
])('a driver that goes wrong in %s() loses its interface and nothing else', async (where, text) => {
  const name = `bad${where}${text.length}`;
  write(`devnp-${name}`, driver(name, text));
  lab = await labFrom(TWO_NODES, {
    time: where === 'process' || where === 'watch' ? 'real' : 'virtual',
    threads: 2,
    modules: [own],
  });
  await alpha(`mount -T io-pkt devnp-${name}.so`, `ifconfig ${name}0 10.9.0.1/24 up`);
  await run(lab, 'alpha', 'ping -c 1 -w 1 10.9.0.2');
  expect(await log()).toMatch(
    new RegExp(`devnp-${name}.so +${name}0: ${where}\\(\\): .*; the interface is switched off`),
  );
  expect(await alpha('mount')).toContain(`devnp-${name}.so on io-pkt (${name}0) faulted`);
  await alpha('ping -c 1 10.0.0.2', `ifconfig ${name}0 destroy`, 'sleep 0.05');
  expect(await alpha('ifconfig -l')).toBe('lo0 en0\n');
  expect(moduleRecords.report().inUse).toBe(0);
});

test.each([
  ['watch', 'attach(self) { self.watchInput() }, watch() { throw new Error("boom") }'],
  [
    'timers.tick',
    'attach(self) { self.setTimer("tick", 0) }, timers: { tick() { throw new Error("boom") } }',
  ],
  [
    'input',
    'attach(self) { self.claimEtherType(0x88b5); this.t(self) }, t(self) { self.setTimer("tick", 1e6) }, timers: { tick(self) { self.send(self.interfaceNamed("en0"), self.packet(4), 0, 0x88b5) } }, input() { throw new Error("boom") }',
  ],
])('a protocol that goes wrong in %s() is switched off, and the stack goes on', async (where, text) => {
  const name = `bad${where.replace('.', '')}`;
  write(`lsm-${name}`, protocol(name, text));
  lab = await labFrom(TWO_NODES, {
    time: where === 'process' || where === 'watch' ? 'real' : 'virtual',
    threads: 2,
    modules: [own],
  });
  await alpha(`mount -T io-pkt lsm-${name}.so`);
  await beta(`mount -T io-pkt lsm-${name}.so`, 'ping -c 2 -i 0.01 10.0.0.1');
  const text2 = (await log()) + (await log('beta'));
  expect(text2).toMatch(
    new RegExp(
      `lsm-${name}.so +${where}\\(\\): Error: boom \\(lsm-${name}.mjs:\\d+\\); the module is switched off`,
    ),
  );
  expect((await alpha('mount')) + (await beta('mount'))).toContain(`lsm-${name}.so on io-pkt faulted`);
});

test('packets that a driver takes and forgets are freed when its interface goes', async () => {
  write('devnp-keeper', driver('keeper', 'start(card) { while (card.take()); }'));
  lab = await labFrom(TWO_NODES, { modules: [own] });
  await alpha('mount -T io-pkt devnp-keeper.so', 'ifconfig keeper0 10.9.0.1/24 up');
  await run(lab, 'alpha', 'ping -c 2 -w 1 10.9.0.255');
  await alpha('ifconfig keeper0 destroy', 'sleep 0.1');
  expect(await log()).toMatch(/keeper0: \d+ packets that it took were never given back; they are freed/);
});

test('a module that was corrected can be loaded again', async () => {
  write('lsm-mend', protocol('mend', ''), 'throw new Error("first");');
  lab = await labFrom(TWO_NODES, { modules: [own] });
  expect(await refusal(lab, 'alpha', 'mount -T io-pkt mend')).toContain('first');
  await new Promise((resolve) => setTimeout(resolve, 5));
  write('lsm-mend', protocol('mend', ''));
  await alpha('mount -T io-pkt mend');
});

test('names that would lead elsewhere lead nowhere', async () => {
  write('lsm-inside', protocol('inside', ''));
  const outside = join(folder, 'lsm-outside.mjs');
  writeFileSync(outside, `export default ${protocol('outside', '')};\n`);
  symlinkSync(outside, join(own, 'lsm-link.mjs'));
  lab = await labFrom(TWO_NODES, { modules: [own] });
  for (const name of [
    '../lsm-outside.so',
    `${outside}`,
    '/lib/dll/../lsm-outside.so',
    'lsm-link.so',
    'lsm-../lsm-outside',
  ])
    expect(await refusal(lab, 'alpha', `mount -T io-pkt ${name}`)).toContain('No such file or directory');
  expect(await log()).toContain('lsm-link.mjs is not used: it leads out of the folder, or nowhere');
  await alpha('mount -T io-pkt lsm-inside.so');
});

test('a module of the same name as one of Stackscope does not take its place', async () => {
  write('devnp-vnic', driver('vnic', ''));
  lab = await labFrom(TWO_NODES, { modules: [own] });
  expect(await log()).toContain('devnp-vnic.mjs is not used: a module of Stackscope has the same name');
  rmSync(join(own, 'devnp-vnic.mjs'));
});

test('a protocol filters what comes in and goes out, until it faults', async () => {
  // Pings with an odd identifier do not get in; a TTL of 13 is a fault.
  write(
    'lsm-gate',
    protocol(
      'gate',
      `attach(self) { self.hookFilter(); },
       filter(self, m, ifp, direction) {
         const p = self.data(m);
         if (self.bytes[p + 8] === 13) throw new Error('thirteen');
         if (self.bytes[p + 9] !== 1 || direction !== 1) return m;
         self.free(m);
         return 0;
       }`,
    ).replace('attach() {}, ', ''),
  );
  lab = await labFrom(TWO_NODES, { modules: [own] });
  expect(await alpha('ping -c 1 10.0.0.2')).toContain('1 packets received');
  await beta('mount -T io-pkt lsm-gate.so');
  expect((await run(lab, 'alpha', 'ping -c 1 -w 1 10.0.0.2')).out).toContain('0 packets received');
  expect((await run(lab, 'alpha', 'ping -c 1 -w 1 -T 13 10.0.0.2')).status).not.toBe(0);
  await beta('sleep 0.01');
  expect(await log('beta')).toMatch(/filter\(\): Error: thirteen.*switched off/);
  expect(await alpha('ping -c 1 10.0.0.2')).toContain('1 packets received');
});
