// Source tracking and tables of PF on the wire (pf.conf(5), "STATEFUL TRACKING OPTIONS", "TABLES").
import { expect, test } from 'vitest';
import { connect, sideOf } from './connection.ts';
import {
  INSIDE,
  OUTSIDE,
  SECOND,
  datagram,
  inside,
  ioctl,
  load,
  outside,
  pass,
  passes,
  states,
  useFirewall,
} from './firewall.ts';

useFirewall();

const from = (source: string, sourcePort = 4000): Buffer => datagram(source, sourcePort, OUTSIDE, 53);
const nodes = async (): Promise<string[]> =>
  (await ioctl('DIOCGETSRCNODES', {})).map(({ address, states: count }) => `${address} ${count}`);

test('a source makes no more states than max-src-states', async () => {
  await load(
    'block all\npass in on en0 proto udp keep state (source-track rule, max-src-states 2)\npass out\n',
  );
  const results: boolean[] = [];
  for (let i = 0; i < 4; i++) results.push(await passes(inside, from(INSIDE, 4000 + i), outside));
  expect(results).toEqual([true, true, false, false]);
  expect(await passes(inside, from('10.0.0.3'), outside)).toBe(true);
  expect((await nodes()).sort()).toEqual(['10.0.0.2 2', '10.0.0.3 1']);
  const { reasons, limitCounters } = await ioctl('DIOCGETSTATUS', {});
  expect([reasons['src-limit'], limitCounters['max-src-states']]).toEqual([2, 2]);
});

test('a rule knows no more sources than max-src-nodes', async () => {
  await load(
    'block all\npass in on en0 proto udp keep state (source-track rule, max-src-nodes 2)\npass out\n',
  );
  const results: boolean[] = [];
  for (const source of [2, 3, 4, 2])
    results.push(await passes(inside, from(`10.0.0.${source}`, 4000 + source), outside));
  expect(results).toEqual([true, true, false, true]);
});

test('tracking for all rules counts what a source does under any of them', async () => {
  const options = 'keep state (source-track global, max-src-states 2)';
  await load(
    `block all\npass in on en0 proto udp to port 53 ${options}\npass in on en0 proto udp to port 54 ${options}\npass out\n`,
  );
  expect(await passes(inside, datagram(INSIDE, 1, OUTSIDE, 53), outside)).toBe(true);
  expect(await passes(inside, datagram(INSIDE, 2, OUTSIDE, 54), outside)).toBe(true);
  expect(await passes(inside, datagram(INSIDE, 3, OUTSIDE, 54), outside)).toBe(false);
});

test('too many connections put their source into a table and end what it has', async () => {
  await load(
    'table <bad> persist\nblock in quick from <bad>\npass in on en0 proto tcp keep state (max-src-conn 2, overload <bad> flush)\npass out\n',
  );
  const connectFrom = async (port: number): Promise<void> => {
    await connect(sideOf(inside, INSIDE, port, port * 10), sideOf(outside, OUTSIDE, 80, port * 77));
  };
  await connectFrom(4001);
  await connectFrom(4002);
  // The last acknowledgement of the third handshake is one too many.
  await expect(connectFrom(4003)).rejects.toThrow();
  const { addresses } = await ioctl('DIOCRGETASTATS', { anchor: '', table: 'bad', first: 0, count: 9 });
  expect(addresses.map(({ address, length }) => `${address}/${length}`)).toEqual([`${INSIDE}/32`]);
  expect(await passes(inside, from(INSIDE), outside)).toBe(false);
  await pass(11 * SECOND);
  expect((await states()).filter((line) => line.startsWith('6 in'))).toEqual([]);
});

test('too many connections at a time are too many, too', async () => {
  await load(
    'table <fast> persist\npass in on en0 proto tcp keep state (max-src-conn-rate 2/10, overload <fast>)\npass out\n',
  );
  const count = async (): Promise<number> =>
    (await ioctl('DIOCRGETTSTATS', { anchor: '', table: 'fast' }))[0]!.addresses;
  const connectFrom = (port: number): Promise<unknown> =>
    connect(sideOf(inside, INSIDE, port, port * 10), sideOf(outside, OUTSIDE, 80, port * 77));
  await connectFrom(4001);
  await connectFrom(4002);
  await pass(20 * SECOND);
  await connectFrom(4003);
  await connectFrom(4004);
  expect(await count()).toBe(0);
  await expect(connectFrom(4005)).rejects.toThrow();
  expect(await count()).toBe(1);
});

test('sources go when their states are gone, later with src.track', async () => {
  await load(
    'set timeout { udp.first 5, interval 1, src.track 30 }\npass in on en0 proto udp keep state (source-track rule)\npass out\n',
  );
  await passes(inside, from(INSIDE), outside);
  await pass(20 * SECOND);
  expect(await nodes()).toEqual([`${INSIDE} 0`]);
  await pass(20 * SECOND);
  expect(await nodes()).toEqual([]);
});

test('a table holds networks; the longest prefix decides, and what is negated is not in it', async () => {
  await load('table <us> { 10.0.0.0/24, !10.0.0.8/29, 10.0.0.9 }\nblock in\npass in from <us>\n');
  const results = [];
  for (const host of [2, 8, 9, 10, 16]) results.push(await passes(inside, from(`10.0.0.${host}`), outside));
  expect(results).toEqual([true, false, true, false, true]);
});

test('tables change while rules use them', async () => {
  await load('table <us> persist\nblock in\npass in from <us>\n');
  const table = { anchor: '', table: 'us' };
  const host = { af: 'inet', address: INSIDE, length: 32 } as const;
  expect(await passes(inside, from(INSIDE), outside)).toBe(false);
  expect(await ioctl('DIOCRADDADDRS', { ...table, addresses: [host, host] })).toMatchObject({ added: 1 });
  expect(await passes(inside, from(INSIDE), outside)).toBe(true);
  expect(await ioctl('DIOCRTSTADDRS', { ...table, addresses: [host] })).toMatchObject({ matched: 1 });
  expect(await ioctl('DIOCRDELADDRS', { ...table, addresses: [host] })).toMatchObject({ deleted: 1 });
  expect(await passes(inside, from(INSIDE), outside)).toBe(false);
});

test('a table counts packets of its addresses by direction and fate', async () => {
  await load(
    'table <us> { 10.0.0.2 }\npass in from <us>\nblock in proto udp from <us> to port 54\npass out\n',
  );
  await passes(inside, from(INSIDE), outside);
  await passes(inside, datagram(INSIDE, 1, OUTSIDE, 54), outside);
  const [info] = await ioctl('DIOCRGETTSTATS', { anchor: '', table: 'us' });
  expect(info).toMatchObject({ addresses: 1, references: { rules: 2 }, match: 4 });
  expect(info!.traffic).toMatchObject({
    inPass: { packets: 1, bytes: 33 },
    inBlock: { packets: 1 },
    outPass: { packets: 0 },
  });
  const { addresses } = await ioctl('DIOCRGETASTATS', { anchor: '', table: 'us', first: 0, count: 1 });
  expect(addresses[0]!.traffic.inPass.packets).toBe(1);
});

test('tables that nobody wants go with a new rule set, persistent ones stay with what they hold', async () => {
  await load('table <a> { 10.0.0.2 }\ntable <b> persist { 10.0.0.3 }\nblock in from { <a>, <b> }\n');
  await load('table <b> persist\nblock in from <b>\n');
  const list = await ioctl('DIOCRGETTSTATS', { anchor: '' });
  expect(list.map(({ name, addresses }) => `${name} ${addresses}`)).toEqual(['b 1']);
});

test('ten thousand networks: each address finds the longest', async () => {
  await load('table <many> persist\nblock in\npass in from <many>\n');
  const addresses = Array.from({ length: 10_000 }, (_, i) => ({
    af: 'inet' as const,
    address: `10.${(i >>> 8) & 255}.${i & 255}.${(i * 7) & 255}`,
    length: 32,
  }));
  await ioctl('DIOCRADDADDRS', { anchor: '', table: 'many', addresses });
  const probe = (address: string) => [{ af: 'inet' as const, address, length: 32 }];
  for (const i of [0, 1, 77, 4095, 9999]) {
    const { address } = addresses[i]!;
    const test = (tested: string) =>
      ioctl('DIOCRTSTADDRS', { anchor: '', table: 'many', addresses: probe(tested) }).then(
        ({ matched }) => matched,
      );
    expect(await test(address)).toBe(1);
    expect(await test(address.replace(/\d+$/, (last) => String((Number(last) + 1) & 255)))).toBe(0);
  }
  expect(await ioctl('DIOCRCLRADDRS', { anchor: '', table: 'many' })).toEqual({ deleted: 10_000 });
});

test('answers count for the addresses that the rule of their state names', async () => {
  await load(
    'table <us> { 10.0.0.2 }\ntable <them> { 192.0.2.2 }\npass in on en0 from <us> to <them> keep state\n',
  );
  await passes(inside, from(INSIDE), outside);
  await passes(outside, datagram(OUTSIDE, 53, INSIDE, 4000), inside);
  for (const table of ['us', 'them']) {
    const [info] = await ioctl('DIOCRGETTSTATS', { anchor: '', table });
    expect(info!.traffic).toMatchObject({ inPass: { packets: 1 }, outPass: { packets: 1 } });
    const { addresses } = await ioctl('DIOCRGETASTATS', { anchor: '', table, first: 0, count: 1 });
    expect(addresses[0]!.traffic).toMatchObject({ inPass: { packets: 1 }, outPass: { packets: 1 } });
  }
});

test('a table of an anchor counts for the rules of that anchor, not the one of the same name outside', async () => {
  await load('table <us> { 10.0.0.2 }\nblock in on en1 from <us>\nanchor services\n');
  await load('table <us> { 10.0.0.2 }\npass in on en0 from <us>\n', '3.7', 'services');
  await passes(inside, from(INSIDE), outside);
  const packets = async (anchor: string): Promise<number> =>
    (await ioctl('DIOCRGETTSTATS', { anchor, table: 'us' }))[0]!.traffic.inPass.packets;
  expect([await packets('services'), await packets('')]).toEqual([1, 0]);
});
