// The packet filters of nodes behind a window: rules checked, loaded, counted and taken back; states; who decided what; filter expressions.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { OwnedLabHost } from '../../../main/api/lab-host.ts';
import type { PacketSummary } from '../../../main/api/model.ts';
import { createLabHost } from '../../../main/lab/lab-host.ts';
import { leakReport } from '../../../stack/memory/mbuf.ts';

const LAB = `
name: filtered
nodes:
  alpha:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: ['ifconfig en0 10.0.0.1/24 up']
  beta:
    stack: io-pkt-v4-hc
    interfaces: [en0]
    startup: ['ifconfig en0 10.0.0.2/24 up']
    files:
      /etc/pf.conf: "pass all\\n"
      /etc/bad.txt: "10.9.9.0/24\\n"
      /etc/extra.conf: "block in proto icmp all\\n"
links:
  wire: { between: [alpha:en0, beta:en0] }
`;
let folder: string;
let host: OwnedLabHost;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stackscope-filters-'));
  await writeFile(join(folder, 'filtered.lab.yaml'), LAB);
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  host = await createLabHost(join(folder, 'filtered.lab.yaml'));
});
afterEach(async () => {
  await host.shutdown();
  expect(Object.fromEntries(leakReport())).toEqual({});
});

async function mounted(): Promise<void> {
  await host.filters.mount('beta');
  await host.filters.setEnabled('beta', true);
}

/** Pings beta from alpha and resolves when ping has printed its statistics. */
async function ping(count: number): Promise<string> {
  const shell = host.openConsole('alpha', { columns: 80, rows: 24 });
  let shown = '';
  shell.onOutput((text) => (shown += text));
  shell.write(`ping -c ${count} -i 0.05 -W 0.2 10.0.0.2\r`);
  await vi.waitFor(() => expect(shown).toMatch(/packets received/), 10_000);
  shell.close();
  return shown;
}

const ruleTexts = async (): Promise<string[]> =>
  (await host.filters.status('beta')).rules.map(({ text }) => text);

test('PF is absent until it is mounted, and counts once rules are loaded and it is enabled', async () => {
  expect(await host.filters.status('beta')).toMatchObject({ node: 'beta', state: 'absent', rules: [] });
  await host.filters.mount('beta');
  expect((await host.filters.status('beta')).state).toBe('disabled');
  await host.filters.setEnabled('beta', true);
  await expect(host.filters.setEnabled('beta', true)).rejects.toThrow();
  const loaded = await host.filters.load(
    'beta',
    'table <friends> { 10.0.0.0/24 }\npass in proto icmp from <friends> keep state\n',
  );
  expect(loaded).toEqual({ problems: [], rules: 1, loaded: true });
  expect(await ping(3)).toContain('3 packets received');
  const status = await host.filters.status('beta');
  expect(status).toMatchObject({ state: 'enabled', states: 1, fromWindow: true, undo: 'no rules' });
  expect(status.rules).toMatchObject([
    { part: 'filter', anchor: '', number: 0, line: 2, action: 'pass', packets: 6, statesMade: 1 },
  ]);
  expect(status.tables).toMatchObject([{ name: 'friends', addresses: 1, rules: 1 }]);
});

test('a text is read against the interfaces of its node; errors say where, and what was expected', async () => {
  expect(await host.filters.check('beta', 'block in on en0 from (en0) to any\n')).toEqual({
    problems: [],
    rules: 1,
  });
  const { problems, rules } = await host.filters.check('beta', 'pass all\nblock in quick onn en0\n');
  expect(rules).toBe(0);
  expect(problems).toMatchObject([{ severity: 'error', line: 2, column: 16 }]);
  expect(problems[0]!.expected).toBeTypeOf('string');
  expect(
    await host.filters.check('beta', 'table <bad> file "/etc/bad.txt"\nblock from <bad>\n'),
  ).toMatchObject({
    rules: 1,
  });
});

test('nothing of a text with errors is loaded; undo brings back what a console or a window had loaded', async () => {
  await mounted();
  await host.filters.load('beta', 'table <t> { 10.1.0.0/16, !10.1.2.3 }\nblock in from <t>\npass all\n');
  const first = await ruleTexts();
  expect(await host.filters.load('beta', 'block al\n')).toMatchObject({ loaded: false, rules: 0 });
  expect(await ruleTexts()).toEqual(first);
  await host.filters.load('beta', 'load anchor extra from "/etc/extra.conf"\nanchor extra\n');
  const second = (await host.filters.status('beta')).rules.map(({ anchor, text }) => `${anchor}: ${text}`);
  expect(second).toEqual([': anchor "extra" all', 'extra: block drop in proto icmp all']);
  await host.filters.unload('beta');
  expect(await ruleTexts()).toEqual([]);
  expect(await host.filters.loadedText('beta')).toBeUndefined();
  await host.filters.undo('beta');
  expect((await host.filters.status('beta')).rules).toHaveLength(2);
  await host.filters.undo('beta');
  expect(await ruleTexts()).toEqual(first);
  expect(await host.filters.loadedText('beta')).toContain('10.1.2.3');
  expect((await host.filters.status('beta')).tables).toMatchObject([{ name: 't', addresses: 2 }]);
  await host.filters.undo('beta');
  expect(await ruleTexts()).toEqual([]);
  await expect(host.filters.undo('beta')).rejects.toThrow('no earlier rule set');
});

test('the pf.conf of a node is read and written; one that is not there is said to be missing', async () => {
  expect(await host.filters.file('beta')).toEqual({ path: '/etc/pf.conf', text: 'pass all\n' });
  expect(await host.filters.file('alpha')).toEqual({ path: '/etc/pf.conf', text: null });
  await host.filters.save('alpha', 'block all\n');
  expect((await host.filters.file('alpha')).text).toBe('block all\n');
});

test('states are listed by words and columns, and killed one by one', async () => {
  await mounted();
  await host.filters.load('beta', 'pass in proto icmp all keep state\n');
  await ping(1);
  await ping(1);
  const query = { text: '', sort: 'age', descending: false, from: 0, count: 10 } as const;
  const page = await host.filters.states('beta', query);
  expect(page).toMatchObject({ total: 2, read: 2, matched: 2 });
  expect(page.states[0]).toMatchObject({ protocol: 'icmp', direction: 'in', rule: 0, packets: 2 });
  expect(page.states[0]!.source).toMatch(/^10\.0\.0\.1/);
  expect((await host.filters.states('beta', { ...query, text: 'tcp' })).matched).toBe(0);
  expect(await host.filters.killStates('beta', page.states[0]!.id)).toBe(1);
  const left = await host.filters.states('beta', query);
  expect(left.states.map(({ id }) => id)).toEqual([page.states[1]!.id]);
  expect(await host.filters.killStates('beta')).toBe(1);
});

test('a packet that was followed shows the rule that decided it, and the rule its packets', async () => {
  await mounted();
  const packets: PacketSummary[] = [];
  host.subscribePackets({ points: [] }, (batch) => packets.push(...batch.packets));
  await host.filters.load('beta', 'pass all\nblock in proto icmp all\n');
  host.followPackets('icmp');
  await ping(2);
  await vi.waitFor(() => expect(packets.filter(({ protocol }) => protocol === 'ICMP')).toHaveLength(2));
  const [first, second] = packets.filter(({ protocol }) => protocol === 'ICMP');
  const hits = host.filters.hits('beta', 1);
  expect(hits.packets).toEqual([first!.number, second!.number]);
  expect(hits.followed).toBe(2);
  expect(hits.kept).toBeGreaterThan(2);
  expect(host.filters.hits('beta', 0).packets).toEqual([]);
  expect(host.filters.decisions(first!.number)).toMatchObject([
    { node: 'beta', interface: 'en0', pass: false, byState: false, rule: 1, inAnchor: false },
  ]);
  const arp = packets.find(({ protocol }) => protocol === 'ARP')!;
  expect(host.filters.decisions(arp.number)).toBeUndefined();
});

test('what-if calls packets of the live list what the list calls them', async () => {
  await ping(1);
  host.clearPackets();
  const packets: PacketSummary[] = [];
  host.subscribePackets({ points: [] }, (batch) => packets.push(...batch.packets));
  await ping(1);
  const replies = () => packets.filter(({ info }) => info.includes('reply'));
  await vi.waitFor(() => expect(replies()).toHaveLength(1));
  const report = await host.filters.whatIf({
    node: 'beta',
    text: 'block out proto icmp\n',
    interface: 'en0',
    direction: 'both',
    againstLoaded: false,
  });
  const blocked = report.packets.filter(({ verdict }) => verdict === 'block').map(({ number }) => number);
  expect(blocked).toEqual(replies().map(({ number }) => number));
  expect(blocked[0]).toBeGreaterThan(packets.length);
});

test('an expression is compiled while it is written, and its program explained for a packet', async () => {
  const compiled = host.expressions.compile('icmp', { point: 'link:wire' });
  expect(compiled).toMatchObject({ ok: true, linkType: 'EN10MB' });
  expect(host.expressions.compile('icmp and port')).toMatchObject({ ok: false, error: { column: 14 } });
  const packets: PacketSummary[] = [];
  host.subscribePackets({ points: [] }, (batch) => packets.push(...batch.packets));
  await ping(1);
  await vi.waitFor(() => expect(packets.some(({ protocol }) => protocol === 'ICMP')).toBe(true));
  const number = packets.find(({ protocol }) => protocol === 'ICMP')!.number;
  const explained = host.expressions.explain('icmp', number)!;
  expect(explained.steps.map(({ pc }) => pc)).toEqual([0, 1, 2, 3, 4]);
  expect(explained.steps[1]).toMatchObject({ a: 0x800, branch: true, next: 2 });
  expect(explained.result).toBeGreaterThan(0);
  expect(() => host.expressions.explain('icmp and', number)).toThrow('column');
  const generated = host.expressions.explain('icmp or icmp', number, { optimize: false })!;
  expect(generated.listing.length).toBeGreaterThan(explained.listing.length);
  expect(generated.result).toBe(explained.result);
  const file = await host.exportPackets([]);
  const opened = await host.openCapture(file.name, Buffer.from(file.data, 'base64'));
  const selected = host.expressions.select('icmp', opened.id);
  expect(selected.length).toBeGreaterThan(0);
  expect(selected.length).toBeLessThan(opened.packets);
  expect(host.expressions.compile('icmp', { capture: opened.id })).toEqual(compiled);
});
