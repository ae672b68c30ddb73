// lsm-autoip: link-local addresses as neighbours see them: probes, announcements, conflicts, defence (RFC 3927).
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { TWO_NODES, labFrom, refusal, stopLab, succeed } from '../../support/lab.ts';

const folder = mkdtempSync(join(tmpdir(), 'stackscope-autoip-'));
afterAll(() => rmSync(folder, { recursive: true }));

let lab: RunningLab;
afterEach(() => stopLab(lab));

const alpha = (...lines: string[]) => succeed(lab, 'alpha', ...lines);
const beta = (...lines: string[]) => succeed(lab, 'beta', ...lines);

/** Two nodes whose interfaces are up and have no address. */
const BARE = TWO_NODES.replaceAll(/ifconfig en0 10\.0\.0\.\d\/24 up/g, 'ifconfig en0 up');

interface Arp {
  readonly at: number;
  readonly from: string;
  readonly sender: string;
  readonly target: string;
  readonly broadcast: boolean;
}

/** All packets of ARP on the wire from now on. */
function listen(): Arp[] {
  const seen: Arp[] = [];
  const dotted = (bytes: Uint8Array): string => bytes.join('.');
  lab.captures.listen(
    lab.places().filter(({ name }) => name === 'link:wire'),
    128,
    ({ bytes, time }) => {
      if (bytes[12] !== 8 || bytes[13] !== 6) return;
      const from = bytes[11] === 0 && bytes[10] === 0 ? 'alpha' : 'beta';
      const broadcast = bytes.subarray(0, 6).every((byte) => byte === 255);
      const [sender, target] = [dotted(bytes.slice(28, 32)), dotted(bytes.slice(38, 42))];
      seen.push({ at: time / 1e9, from, sender, target, broadcast });
    },
  );
  return seen;
}

const linkLocal = async (): Promise<string | undefined> =>
  /inet (?:alias )?(169\.254\.\S+) netmask 0xffff0000 broadcast 169\.254\.255\.255/.exec(
    await alpha('ifconfig en0'),
  )?.[1];

test('three probes, 1 to 2 s apart, then two announcements, 2 s apart; the address follows from the card', async () => {
  lab = await labFrom(BARE);
  const seen = listen();
  await alpha('mount -T io-pkt lsm-autoip.so', 'sleep 12');
  const address = await linkLocal();
  expect(address).toBeDefined();
  expect(seen.map(({ sender, target }) => [sender, target])).toEqual([
    ...Array.from({ length: 3 }, () => ['0.0.0.0', address]),
    ...Array.from({ length: 2 }, () => [address, address]),
  ]);
  const [wait, ...gaps] = seen.map(({ at }, i) => at - (seen[i - 1]?.at ?? 0));
  expect(wait).toBeLessThanOrEqual(1.01);
  for (const gap of gaps.slice(0, 2)) expect(gap).toSatisfy((s: number) => s >= 1 && s <= 2);
  expect(gaps[2]).toBeCloseTo(2);
  expect(gaps[3]).toBeCloseTo(2);
  expect(await alpha('sloginfo')).toContain(`lsm-autoip.so      en0: ${address} is ours`);
  await stopLab(lab);
  lab = await labFrom(BARE, { seed: 99 });
  await alpha('mount -T io-pkt lsm-autoip.so', 'sleep 12');
  expect(await linkLocal()).toBe(address);
});

test('two nodes find each other; answers are broadcast; addresses that were there stay', async () => {
  lab = await labFrom(TWO_NODES);
  const seen = listen();
  await alpha('mount -T io-pkt -o if=en0,ip=169.254.7.1,delay=100 lsm-autoip.so', 'sleep 5');
  await beta('mount -T io-pkt -o ip=169.254.7.2,delay=100 lsm-autoip.so', 'sleep 5');
  expect(await alpha('ifconfig en0')).toMatch(/inet 10\.0\.0\.1 [^]*inet alias 169\.254\.7\.1 /);
  expect(await alpha('ping -c 2 -i 0.1 169.254.7.2')).toContain('2 packets received');
  expect(await alpha('ping -c 2 -i 0.1 10.0.0.2')).toContain('2 packets received');
  const answer = seen.find(({ sender, target }) => sender === '169.254.7.2' && target === '169.254.7.1');
  expect(answer?.broadcast).toBe(true);
});

test('an address that somebody has is not taken; of two that probe for the same one, one at most gets it', async () => {
  lab = await labFrom(BARE);
  await beta('ifconfig en0 169.254.5.5/16');
  await alpha('mount -T io-pkt -o ip=169.254.5.5,debug lsm-autoip.so', 'sleep 12');
  expect(await linkLocal()).toMatch(/^169\.254\.(?!5\.5$)/);
  expect(await alpha('sloginfo')).toContain('en0: 169.254.5.5 is taken');
  await stopLab(lab);
  lab = await labFrom(BARE);
  const both = 'mount -T io-pkt -o ip=169.254.6.6 lsm-autoip.so';
  await Promise.all([alpha(both, 'sleep 20'), beta(both, 'sleep 20')]);
  const other = /inet (169\.254\.\S+)/.exec(await beta('ifconfig en0'))![1];
  expect(await linkLocal()).toBeDefined();
  expect(await linkLocal()).not.toBe(other);
});

/** A neighbour that claims an address whenever it is written to /dev/claim, and has none. */
const CLAIM = `export default { kind: 'protocol', name: 'claim', description: 'claims addresses', path: '/dev/claim', attach() {},
  write(self, text) {
    const [ifp] = self.interfaces().filter((one) => self.interfaceName(one) === 'en0');
    const m = self.packet(28);
    const at = self.data(m);
    self.bytes.fill(0, at, at + 28);
    self.bytes.set([0, 1, 8, 0, 6, 4, 0, 1], at);
    self.bytes.copyWithin(at + 8, self.macOf(ifp), self.macOf(ifp) + 6);
    for (const place of [14, 24]) self.bytes.set(text.trim().split('.').map(Number), at + place);
    self.send(ifp, m, 0, 0x806);
  } };`;

test('an address is defended once in 10 s, then given up for another', async () => {
  writeFileSync(join(folder, 'lsm-claim.mjs'), CLAIM);
  lab = await labFrom(BARE, { modules: [folder] });
  await beta('mount -T io-pkt claim');
  await alpha('mount -T io-pkt -o ip=169.254.5.5,delay=200 lsm-autoip.so', 'sleep 4');
  const seen = listen();
  const claim = ['echo 169.254.5.5 > /dev/claim', 'sleep 1'];
  await beta(...claim);
  expect(seen.filter(({ from }) => from === 'alpha')).toEqual([
    expect.objectContaining({ sender: '169.254.5.5', target: '169.254.5.5' }),
  ]);
  expect(await alpha('sloginfo')).toContain('169.254.5.5 is used by somebody else; defending it');
  await beta('sleep 12', ...claim);
  expect(await linkLocal()).toBe('169.254.5.5');
  await beta(...claim, 'sleep 5');
  expect(await alpha('sloginfo')).toContain('169.254.5.5 is used by somebody else; giving it up');
  expect(await linkLocal()).toMatch(/^169\.254\.(?!5\.5$)/);
});

test('two hosts that insist on an address do not argue for ever', async () => {
  lab = await labFrom(BARE);
  const seen = listen();
  await alpha('ifconfig en0 169.254.5.5/16');
  await beta('ifconfig en0 169.254.5.5/16', 'sleep 3');
  expect(seen.length).toBeGreaterThanOrEqual(3);
  expect(seen.length).toBeLessThanOrEqual(4);
});

test('with abandon it is given up at once', async () => {
  lab = await labFrom(BARE);
  await alpha('mount -T io-pkt -o ip=169.254.5.5,delay=200,abandon lsm-autoip.so', 'sleep 4');
  await beta('ifconfig en0 169.254.5.5/16', 'sleep 3');
  expect(await alpha('sloginfo')).not.toContain('defending');
  expect(await linkLocal()).toMatch(/^169\.254\.(?!5\.5$)/);
});

test('after ten conflicts one address is tried each minute', async () => {
  // A neighbour that has every address.
  const greedy = `export default { kind: 'protocol', name: 'greedy', description: 'has all addresses',
  attach(self) { self.watchInput(0x806); },
  watch(self, m, type, ifp) {
    const asked = self.read(m, 0, 28);
    if (asked[14] !== 0) return true;
    const answer = self.packet(28);
    const at = self.data(answer);
    self.bytes.set(asked, at);
    self.bytes.copyWithin(at + 8, self.macOf(ifp), self.macOf(ifp) + 6);
    self.bytes.set(asked.subarray(24), at + 14);
    self.bytes[at + 7] = 2;
    self.send(ifp, answer, 0, 0x806);
    return true;
  } };`;
  writeFileSync(join(folder, 'lsm-greedy.mjs'), greedy);
  lab = await labFrom(BARE, { modules: [folder] });
  await beta('mount -T io-pkt greedy');
  const seen = listen();
  await alpha('mount -T io-pkt autoip', 'sleep 300');
  const probes = seen.filter(({ from }) => from === 'alpha').map(({ at }) => at);
  // Each address was probed for once; the eleventh and those behind it came a minute apart.
  expect(probes.length).toBeGreaterThanOrEqual(14);
  expect(probes[9]!).toBeLessThan(11);
  probes.slice(11).forEach((at, i) => expect(at - probes[i + 10]!).toBeCloseTo(60, 0));
  expect(await alpha('sloginfo')).toContain('10 conflicts: one address is tried in 60 s from now on');
});

test('without a carrier nothing is probed for; an interface that goes down gives its address back', async () => {
  lab = await labFrom(BARE);
  await beta('ifconfig en0 down');
  await alpha('mount -T io-pkt -o delay=200 autoip', 'sleep 10');
  expect(await linkLocal()).toBeUndefined();
  await beta('ifconfig en0 up', 'sleep 5');
  const address = await linkLocal();
  expect(address).toBeDefined();
  await alpha('ifconfig en0 down', 'sleep 1');
  expect(await linkLocal()).toBeUndefined();
  await alpha('ifconfig en0 up', 'sleep 5');
  expect(await linkLocal()).toBe(address);
  await alpha('ifconfig en0 destroy', 'sleep 5');
});

test('old: no address while there is a routable one, but a route; force keeps it', async () => {
  lab = await labFrom(BARE);
  await alpha('mount -T io-pkt -o old,delay=200 autoip', 'sleep 4');
  expect(await linkLocal()).toBeDefined();
  await alpha('ifconfig en0 10.0.0.1/24 alias', 'sleep 4');
  expect(await linkLocal()).toBeUndefined();
  expect(await alpha('netstat -rn')).toMatch(/169\.254(\.0\.0)?\/16 .* en0/);
  await beta('ifconfig en0 10.0.0.2/24', 'mount -T io-pkt -o old,force,delay=200 autoip', 'sleep 4');
  expect(await beta('ifconfig en0')).toMatch(/10\.0\.0\.2[^]*169\.254\./);
  await alpha('ifconfig en0 10.0.0.1 delete', 'sleep 4');
  expect(await linkLocal()).toBeDefined();
});

test('what cannot be is refused and logged, and nothing is left behind', async () => {
  lab = await labFrom(TWO_NODES);
  expect(await refusal(lab, 'alpha', 'mount -T io-pkt -o if=en7 autoip')).toContain('if=en7: No such device');
  expect(await refusal(lab, 'alpha', 'mount -T io-pkt -o if=lo0 autoip')).toContain('for Ethernet');
  expect(await refusal(lab, 'alpha', 'mount -T io-pkt -o ip=10.0.0.9 autoip')).toContain('169.254.1.0 to');
  expect(await refusal(lab, 'alpha', 'mount -T io-pkt -o ip=169.254.255.1 autoip')).toContain(
    '169.254.1.0 to',
  );
  await alpha('mount -T io-pkt -o delay=9000 autoip');
  expect(await alpha('sloginfo')).toContain('delay=9000 ignored: a whole number from 1 to 8000');
  expect(await refusal(lab, 'alpha', 'mount -T io-pkt autoip')).toContain('loaded already');
});

test('link-local packets are not forwarded', async () => {
  lab = await labFrom(`
name: router
nodes:
  alpha: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 169.254.9.9/16', 'ifconfig en0 10.0.0.1/24 alias', 'route add default 10.0.0.254'] }
  r: { stack: 'io-pkt-v4-hc -ptcpip forward', interfaces: [en0, en1], startup: ['ifconfig en0 10.0.0.254/24', 'ifconfig en1 10.1.0.254/24'] }
  beta: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.1.0.2/24', 'route add default 10.1.0.254'] }
links:
  left: { between: [alpha:en0, r:en0] }
  right: { between: [r:en1, beta:en0] }
`);
  expect(await alpha('ping -c 1 10.1.0.2')).toContain('1 packets received');
  expect((await succeed(lab, 'r', 'netstat -s -p ip')).match(/(\d+) packets? not forwardable/)?.[1]).toBe(
    '0',
  );
  await beta('ping -c 1 -w 1 169.254.9.9 || true');
  expect((await succeed(lab, 'r', 'netstat -s -p ip')).match(/(\d+) packets? not forwardable/)?.[1]).toBe(
    '1',
  );
});
