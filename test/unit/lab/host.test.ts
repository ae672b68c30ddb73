// The engine behind a window, asked as the api server asks it.
import { Buffer } from 'node:buffer';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import type { LabConsole, OwnedLabHost } from '../../../main/api/lab-host.ts';
import type { PacketSummary } from '../../../main/api/model.ts';
import { createLabHost } from '../../../main/lab/lab-host.ts';
import { leakReport } from '../../../stack/memory/mbuf.ts';

const examples = join(import.meta.dirname, '../../../main/examples');
const twoNodes = join(examples, 'two-nodes.lab.yaml');
const size = { columns: 80, rows: 24 };
let host: OwnedLabHost | undefined;

afterEach(async () => {
  await host?.shutdown();
  host = undefined;
  expect(Object.fromEntries(leakReport())).toEqual({});
});

async function open(file: string | undefined): Promise<OwnedLabHost> {
  host = await createLabHost(file);
  return host;
}

/** A console and all that it has shown. */
function consoleOn(opened: OwnedLabHost, node: string): { shell: LabConsole; shown: () => string } {
  const shell = opened.openConsole(node, size);
  let shown = '';
  shell.onOutput((text) => (shown += text));
  return { shell, shown: () => shown };
}

test('an opened lab runs and is described', async () => {
  const lab = (await open(twoNodes)).describe();
  expect(lab).toMatchObject({ name: 'two-nodes', state: 'running', timeMode: 'real', problems: [] });
  expect(lab.nodes.map(({ name, state }) => `${name} ${state}`)).toEqual(['alpha running', 'beta running']);
  expect(lab.nodes[0]!.interfaces).toContainEqual({
    name: 'en0',
    mac: '02:00:00:00:00:00',
    up: true,
    carrier: true,
    addresses: ['10.0.0.1/24'],
    mtu: 1500,
  });
  expect(lab.links[0]).toMatchObject({ name: 'wire', impairments: '1 ms ± 100 µs, 100 Mbit/s' });
});

test('a console runs commands; their packets are listed, decoded, counted and exported', async () => {
  const opened = await open(twoNodes);
  const packets: PacketSummary[] = [];
  opened.subscribePackets({ points: ['link:wire'] }, (batch) => packets.push(...batch.packets));
  const { shell, shown } = consoleOn(opened, 'alpha');
  shell.write('ping -c 2 -i 0.1 10.0.0.2\r');
  await vi.waitFor(() => expect(shown()).toContain('2 packets received'), 10_000);
  await vi.waitFor(() => expect(packets.filter(({ protocol }) => protocol === 'ICMP')).toHaveLength(4), 3000);
  const request = packets.find(({ info }) => info.includes('(ping) request'))!;
  expect(request).toMatchObject({
    source: '10.0.0.1',
    destination: '10.0.0.2',
    point: 'link:wire',
    length: 98,
  });
  const detail = opened.packet(request.number)!;
  expect(detail.layers.map(({ name }) => name)).toEqual(expect.arrayContaining(['eth', 'ip', 'icmp']));
  expect(Buffer.from(detail.bytes, 'base64')).toHaveLength(98);
  const [there, back] = opened.rates().links[0]!.directions;
  expect(there!.packets).toBeGreaterThanOrEqual(3);
  expect(back!.bytes).toBeGreaterThanOrEqual(2 * 98);
  const exported = await opened.exportPackets([]);
  const again = await opened.openCapture(exported.name, Buffer.from(exported.data, 'base64'));
  expect(again.packets).toBe(exported.packets);
  expect(opened.captureSummaries(again.id, 0, 1000).map(({ info }) => info)).toContain(request.info);
  opened.clearPackets();
  expect(opened.packet(request.number)).toBeUndefined();
});

test('a reader gets the packets that its filter takes, and is told what is wrong with it', async () => {
  const opened = await open(twoNodes);
  const packets: PacketSummary[] = [];
  opened.subscribePackets({ points: [], filter: 'icmp and dst 10.0.0.1' }, (batch) =>
    packets.push(...batch.packets),
  );
  expect(() => opened.subscribePackets({ points: [], filter: 'icmp an' }, () => undefined)).toThrow(
    /^column 6: syntax error/,
  );
  consoleOn(opened, 'alpha').shell.write('ping -c 2 -i 0.1 10.0.0.2\r');
  await vi.waitFor(() => expect(packets).toHaveLength(2), 10_000);
  expect(packets.every(({ info }) => info.includes('(ping) reply'))).toBe(true);
  expect((await opened.exportPackets([], 'icmp')).packets).toBe(4);
});

test('packets are followed while it is asked for; their journeys are shown, kept over a restart, and exported', async () => {
  const opened = await open(twoNodes);
  const packets: PacketSummary[] = [];
  opened.subscribePackets({ points: [] }, (batch) => packets.push(...batch.packets));
  expect(() => opened.followPackets('sctp')).toThrow(
    "it has 'sctp', which is none of: all, or any of: every N",
  );
  opened.followPackets('icmp');
  expect(opened.describe().journeys).toBe('icmp');
  const ping = async (times: number): Promise<void> => {
    consoleOn(opened, 'alpha').shell.write('ping -c 1 10.0.0.2\r');
    await vi.waitFor(
      () => expect(packets.filter(({ protocol }) => protocol === 'ICMP')).toHaveLength(2 * times),
      10_000,
    );
  };
  await ping(1);
  const [request] = packets.filter(({ info }) => info.includes('(ping) request'));
  expect(packets.filter(({ followed }) => followed).every(({ protocol }) => protocol === 'ICMP')).toBe(true);
  const namesOf = (number: number, capture?: string): string[] =>
    opened.journey(number, capture)!.stations.map(({ place, station }) => `${place} ${station}`);
  const route = namesOf(request!.number);
  expect(route[0]).toBe('alpha output');
  expect(route).toContain('beta:en0 driverIn');
  expect(route.at(-1)).toBe('beta consumed');
  const arp = packets.find(({ protocol }) => protocol === 'ARP')!;
  expect(opened.journey(arp.number)).toBeUndefined();

  await opened.restart();
  await ping(2);
  const second = packets.filter(({ info }) => info.includes('(ping) request'))[1]!;
  expect(namesOf(second.number)[0]).toBe('alpha output');
  expect(namesOf(request!.number)).toEqual(route);

  const exported = await opened.exportPackets([]);
  const file = await opened.openCapture(exported.name, Buffer.from(exported.data, 'base64'));
  const again = opened.captureSummaries(file.id, 0, 1000).find(({ info }) => info === request!.info)!;
  expect(again.followed).toBe(true);
  expect(namesOf(again.number, file.id)).toEqual(route);

  opened.followPackets(undefined);
  expect(opened.describe().journeys).toBeUndefined();
  await ping(3);
  expect(packets.filter(({ info }) => info.includes('(ping) request'))[2]!.followed).toBeUndefined();
}, 20_000);

test('the shell of a console ends and says so; closing one ends what it runs', async () => {
  const opened = await open(twoNodes);
  const { shell } = consoleOn(opened, 'alpha');
  const exited = new Promise((resolve) => shell.onExit(resolve));
  shell.write('exit 3\r');
  expect(await exited).toBe(3);
  const second = consoleOn(opened, 'alpha');
  second.shell.write('ping 10.0.0.2\r');
  await vi.waitFor(() => expect(second.shown()).toContain('icmp_seq=0'), 5000);
  second.shell.close();
  const third = consoleOn(opened, 'alpha');
  await vi.waitFor(() => {
    third.shell.write('pidin\r');
    expect(third.shown()).toContain('io-pkt');
    expect(third.shown().split('pidin').at(-1)).not.toContain('ping');
  }, 5000);
  expect(() => opened.openConsole('nobody', size)).toThrow('nobody');
});

test('a change on a node raises the revision', async () => {
  const opened = await open(twoNodes);
  const before = opened.rates().revision;
  consoleOn(opened, 'beta').shell.write('ifconfig en0 down\r');
  await vi.waitFor(() => expect(opened.rates().revision).toBeGreaterThan(before), 3000);
  const [alpha, beta] = opened.describe().nodes;
  expect(beta!.interfaces.find(({ name }) => name === 'en0')).toMatchObject({ up: false, carrier: false });
  expect(alpha!.interfaces.find(({ name }) => name === 'en0')).toMatchObject({ up: true, carrier: false });
});

test('a lab is stopped, started, restarted and replaced', async () => {
  const opened = await open(twoNodes);
  await opened.stop();
  expect(opened.describe().state).toBe('stopped');
  expect(() => opened.openConsole('alpha', size)).toThrow('stopped');
  await opened.start();
  await opened.restart();
  expect(opened.describe().state).toBe('running');
  const problems = await opened.openLab({
    name: 'broken.lab.yaml',
    text: 'name: x\nnodes:\n  a: { stack: none }\n',
  });
  expect(problems.map(({ line }) => line)).toContain(3);
  expect(opened.describe().name).toBe('two-nodes');
  const examplesThere = await opened.examples();
  expect(examplesThere.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['two-nodes', 'router', 'switch']),
  );
  const router = examplesThere.find(({ name }) => name === 'router')!;
  expect(await opened.openLab({ name: 'router.lab.yaml', text: router.text })).toEqual([]);
  expect(opened.describe()).toMatchObject({ name: 'router', state: 'running' });
});

test('what start-up lines did wrong is in the log and among the problems', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stackscope-'));
  const file = join(folder, 'wrong.lab.yaml');
  await writeFile(
    file,
    'name: wrong\nnodes:\n  a: { stack: io-pkt-v4, interfaces: [en0], startup: ["ifconfig en7 up"] }\n',
  );
  const opened = await open(file);
  expect(opened.log('a').map(({ text }) => text)).toContainEqual(expect.stringContaining('ifconfig en7 up'));
  expect(opened.describe().problems.map(({ message }) => message)).toContainEqual(
    expect.stringContaining('en7'),
  );
  await rm(folder, { recursive: true });
});

test('without a lab there is a host that says what to do', async () => {
  const opened = await open(undefined);
  expect(opened.describe()).toMatchObject({ state: 'stopped', nodes: [] });
  await expect(opened.start()).rejects.toThrow('open a lab file');
  await expect(createLabHost(join(examples, 'absent.lab.yaml'))).rejects.toThrow('no such file');
});

test('a lab in virtual time stands still, steps to packets, runs to a time, and begins the same every time', async () => {
  const opened = await open(twoNodes);
  await expect(opened.controlTime({ kind: 'pause' })).rejects.toThrow('switch to virtual time');
  const begin = async (): Promise<string> => {
    await opened.setTimeMode('virtual');
    expect(opened.describe()).toMatchObject({ state: 'running', timeMode: 'virtual' });
    await opened.controlTime({ kind: 'pause' });
    const before = opened.rates();
    expect(before.virtual).toMatchObject({ paused: true, speed: 1 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(opened.rates().time).toBe(before.time);
    await opened.controlTime({ kind: 'speed', speed: 100 });
    await opened.controlTime({ kind: 'to', time: '2000000000' });
    await vi.waitFor(() =>
      expect(opened.rates()).toMatchObject({ time: '2000000000', virtual: { paused: true } }),
    );
    await expect(opened.controlTime({ kind: 'to', time: '1' })).rejects.toThrow('is at 2 s already');
    opened.clearPackets();
    const infos: string[] = [];
    const unsubscribe = opened.subscribePackets({ points: ['link:wire'] }, ({ packets }) =>
      infos.push(...packets.map(({ time, info }) => `${time} ${info}`)),
    );
    const { shell } = consoleOn(opened, 'alpha');
    shell.write('ping -c 2 10.0.0.2\r');
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (let i = 1; i <= 4; i++) {
      await opened.controlTime({ kind: 'next' });
      await vi.waitFor(() => expect(infos).toHaveLength(i), 2000);
    }
    unsubscribe();
    shell.close();
    await opened.setTimeMode('real');
    return infos.join('\n');
  };
  const first = await begin();
  expect(first).toContain('(ping) request');
  expect(await begin()).toBe(first);
  expect(opened.describe()).toMatchObject({ state: 'running', timeMode: 'real' });
});
