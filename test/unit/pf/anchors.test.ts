// Anchors of PF on the wire (pf.conf(5), "ANCHORS"): which rules behind them are met, in which order, and what `quick` on an anchor means.
import { expect, test } from 'vitest';
import { slabReports } from '../../../stack/memory/slab.ts';
import {
  INSIDE,
  OUTSIDE,
  datagram,
  inside,
  load,
  outside,
  passes,
  rules,
  through,
  useFirewall,
} from './firewall.ts';

useFirewall();

const out = (port: number): Buffer => datagram(INSIDE, 4000, OUTSIDE, port);
const CLOSED = 'block in on en0\n';
const OPEN = 'pass in on en0\n';

test('a wildcard visits the anchors below it in the order of their names', async () => {
  await load(`${CLOSED}anchor "rules/*"\n`);
  await load('pass in proto udp to port { 1, 2 }\n', '3.7', 'rules/b');
  await load('block in proto udp to port 1\n', '3.7', 'rules/c');
  await load('block in proto udp to port 2\n', '3.7', 'rules/a');
  expect(await passes(inside, out(1), outside)).toBe(false);
  expect(await passes(inside, out(2), outside)).toBe(true);
});

test('a wildcard does not visit the anchor that it stands below, nor what is two below', async () => {
  await load(`${CLOSED}anchor "rules/*"\n`);
  await load('pass in proto udp to port 1\n', '3.7', 'rules');
  await load('pass in proto udp to port 2\n', '3.7', 'rules/a/b');
  await load('pass in proto udp to port 3\n', '3.7', 'rules/a');
  const results = [];
  for (const port of [1, 2, 3]) results.push(await passes(inside, out(port), outside));
  expect(results).toEqual([false, false, true]);
});

test('an anchor is entered only by what meets its own criteria', async () => {
  await load(`${CLOSED}anchor services in on en0 proto udp to port 53\n`);
  await load('pass in all\n', '3.7', 'services');
  expect(await passes(inside, out(53), outside)).toBe(true);
  expect(await passes(inside, out(54), outside)).toBe(false);
});

test('quick on an anchor ends the walk only if something inside has matched', async () => {
  await load(`anchor services quick on en0\n${CLOSED}`, '4.2');
  await load('pass in proto udp to port 53 no state\n', '4.2', 'services');
  expect(await passes(inside, out(53), outside)).toBe(true);
  expect(await passes(inside, out(54), outside)).toBe(false);
});

test('quick on an anchor ends the walk even if the rule inside had matched before', async () => {
  await load(`anchor services\nanchor services quick on en0\n${CLOSED}`, '4.2');
  await load('pass in proto udp to port 53 no state\n', '4.2', 'services');
  expect(await passes(inside, out(53), outside)).toBe(true);
  expect(await passes(inside, out(54), outside)).toBe(false);
});

test('a quick rule in an anchor ends the whole walk', async () => {
  await load(`anchor services\n${CLOSED}`);
  await load('pass in quick proto udp to port 53\n', '3.7', 'services');
  expect(await passes(inside, out(53), outside)).toBe(true);
  expect(await passes(inside, out(54), outside)).toBe(false);
});

test('anchors that lead to themselves end', async () => {
  await load(`${OPEN}anchor round\nblock in proto udp to port 54\n`);
  await load('anchor "/round"\nanchor "/round"\nblock in proto udp to port 53\n', '3.7', 'round');
  expect(await passes(inside, out(53), outside)).toBe(false);
  expect(await passes(inside, out(54), outside)).toBe(false);
  expect(await passes(inside, out(55), outside)).toBe(true);
});

test('anchors in anchors are entered as far as 64 deep', async () => {
  const path = (depth: number): string => Array.from({ length: depth }, () => 'a').join('/');
  await load(`${OPEN}anchor a\n`);
  const block = (depth: number): string => `block in proto udp to port ${depth}\n`;
  for (let depth = 1; depth <= 66; depth++) await load(`${block(depth)}anchor a\n`, '3.7', path(depth));
  expect(await passes(inside, out(1), outside)).toBe(false);
  expect(await passes(inside, out(64), outside)).toBe(false);
  expect(await passes(inside, out(65), outside)).toBe(true);
});

test('rules behind an anchor count for it and for the anchor', async () => {
  await load(`${CLOSED}anchor services\n`);
  await load('pass in proto udp to port 53\n', '3.7', 'services');
  await passes(inside, out(53), outside);
  expect((await rules())[1]).toMatchObject({ packets: 1, bytes: 33 });
  expect((await rules('filter', 'services'))[0]).toMatchObject({ packets: 1, bytes: 33 });
});

test('anchors that are emptied leave room for others, and those that rules name stay', async () => {
  await load('anchor named\nanchor "sessions/*"\n');
  const inUse = (): number => slabReports().find(({ name }) => name === 'pfanchor')!.inUse;
  const before = inUse();
  for (let i = 0; i < 20; i++) {
    await load('pass in proto udp to port 53\n', '3.7', `sessions/${i}`);
    await load('', '3.7', `sessions/${i}`);
  }
  await load('pass in\n', '3.7', 'named');
  await load('', '3.7', 'named');
  expect(inUse()).toBe(before);
  expect(await rules('filter', 'named')).toEqual([]);
  await expect(rules('filter', 'sessions/1')).rejects.toThrow('anchor sessions/1');
});

test('translation has anchors of its own', async () => {
  await load('nat-anchor "ftp/*"\nnat on en1 inet from 10.0.0.3 to any -> 192.0.2.9\n');
  await load('no nat on en1 inet from 10.0.0.3 to any port 1\n', '3.7', 'ftp/no');
  await load('nat on en1 inet proto udp from 10.0.0.2 to any -> 192.0.2.8\n', '3.7', 'ftp/yes');
  const source = async (from: string, port: number): Promise<string | undefined> =>
    (await through(inside, datagram(from, 4000, OUTSIDE, port), outside))?.source;
  expect(await source(INSIDE, 1)).toBe('192.0.2.8');
  expect(await source('10.0.0.3', 2)).toBe('192.0.2.9');
});
