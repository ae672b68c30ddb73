// Every reason for which PF drops a packet (pfctl -s info), met on the wire and counted.
import { expect, test } from 'vitest';
import { PF_REASONS } from '../../../stack/filter/pf/ioctl.ts';
import type { PfReason } from '../../../stack/filter/pf/ioctl.ts';
import { PROTOCOL, ipv4 } from '../../support/frames.ts';
import { connect, sideOf } from './connection.ts';
import {
  FW_OUT,
  INSIDE,
  OUTSIDE,
  datagram,
  inside,
  ioctl,
  load,
  outside,
  passes,
  tcp,
  useFirewall,
} from './firewall.ts';

useFirewall();

const out = (port: number): Buffer => datagram(INSIDE, 4000, OUTSIDE, port);
const syn = (): Buffer =>
  tcp({ source: INSIDE, destination: OUTSIDE, sourcePort: 4000, port: 80, flags: 'S', seq: 1000 });

test('the reasons stand in the order in which pfctl shows them', async () => {
  expect(Object.keys((await ioctl('DIOCGETSTATUS', {})).reasons)).toEqual([...PF_REASONS]);
  expect(PF_REASONS).toEqual([
    'match',
    'bad-offset',
    'fragment',
    'short',
    'normalize',
    'memory',
    'bad-timestamp',
    'congestion',
    'ip-option',
    'proto-cksum',
    'state-mismatch',
    'state-insert',
    'state-limit',
    'src-limit',
    'synproxy',
  ]);
});

/** A packet that is dropped for a reason, and what is loaded and sent before it. */
const DROPS: readonly (readonly [PfReason, string, () => Promise<Buffer> | Buffer])[] = [
  ['match', 'block in proto udp\n', () => out(53)],
  [
    'bad-offset',
    'pass all\n',
    () => {
      const bad = syn();
      bad[20 + 12] = 0x40;
      return bad;
    },
  ],
  [
    'fragment',
    'scrub in all\n',
    () =>
      ipv4({
        source: INSIDE,
        destination: OUTSIDE,
        protocol: 99,
        df: true,
        more: true,
        payload: Buffer.alloc(8),
      }),
  ],
  [
    'short',
    'pass all\n',
    () => ipv4({ source: INSIDE, destination: OUTSIDE, protocol: PROTOCOL.udp, payload: Buffer.alloc(7) }),
  ],
  [
    'normalize',
    'scrub in all\n',
    () => tcp({ source: INSIDE, destination: OUTSIDE, sourcePort: 1, port: 2, flags: 'SR' }),
  ],
  [
    'memory',
    'set limit states 1\npass in on en0 proto udp keep state\n',
    async () => {
      await passes(inside, out(1), outside);
      return out(2);
    },
  ],
  [
    'ip-option',
    'pass all\n',
    () =>
      ipv4({
        source: INSIDE,
        destination: OUTSIDE,
        protocol: 99,
        payload: Buffer.alloc(8),
        options: Buffer.from([0x94, 4, 0, 0]),
      }),
  ],
  [
    'proto-cksum',
    'pass all\n',
    () => {
      const bad = out(53);
      bad[bad.length - 1]! ^= 1;
      return bad;
    },
  ],
  [
    'state-mismatch',
    'pass in on en0 proto tcp keep state\n',
    async () => {
      const a = sideOf(inside, INSIDE, 4000, 1000);
      await connect(a, sideOf(outside, OUTSIDE, 80, 500_000));
      const ends = { source: INSIDE, destination: OUTSIDE, sourcePort: 4000, port: 80 };
      return tcp({ ...ends, flags: '.', seq: a.seq + 900_000, ack: a.ack, payload: Buffer.alloc(9) });
    },
  ],
  [
    'state-limit',
    'pass in on en0 proto udp keep state (max 1)\n',
    async () => {
      await passes(inside, out(1), outside);
      return out(2);
    },
  ],
  [
    'src-limit',
    'pass in on en0 proto udp keep state (source-track rule, max-src-states 1)\n',
    async () => {
      await passes(inside, out(1), outside);
      return out(2);
    },
  ],
  ['synproxy', 'pass in on en0 proto tcp flags S/SA synproxy state\n', () => syn()],
];

test.each(DROPS)('%s is a reason to drop, and counted', async (reason, text, packet) => {
  await load(text);
  const last = await packet();
  const before = (await ioctl('DIOCGETSTATUS', {})).reasons[reason];
  expect(await passes(inside, last, outside)).toBe(false);
  expect((await ioctl('DIOCGETSTATUS', {})).reasons[reason]).toBe(before + 1);
});

test('state-insert is a reason to drop, and counted', async () => {
  // Two ports lead to the same one: what comes from one port of a client cannot be told apart behind it.
  await load('rdr on en1 inet proto udp from any to 192.0.2.1 port { 80, 81 } -> 10.0.0.2 port 8080\n');
  expect(await passes(outside, datagram(OUTSIDE, 5, FW_OUT, 80), inside)).toBe(true);
  expect(await passes(outside, datagram(OUTSIDE, 5, FW_OUT, 81), inside)).toBe(false);
  expect((await ioctl('DIOCGETSTATUS', {})).reasons['state-insert']).toBe(1);
});
