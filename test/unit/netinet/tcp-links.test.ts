// TCP between two nodes over links that lose, reorder, duplicate and damage frames, and over slow and long ones, in virtual time.
import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { refreshNow } from '../../../stack/runtime/clock.ts';
import { AF_INET, IPPROTO_TCP, SHUT_WR, SOCK_STREAM } from '../../../stack/runtime/messages/request.ts';
import { listenOn } from '../../../stack/socket/http-adapter.ts';
import { INADDR_ANY } from '../../../stack/socket/inet.ts';
import * as libsocket from '../../../stack/socket/libsocket.ts';
import { TWO_NODES, labFrom, nodeOf, run, stopLab } from '../../support/lab.ts';
import { asProgram, start } from '../socket/programs.ts';

const BETA = 0x0a000002;
const PORT = 5001;

interface Outcome {
  readonly received: Buffer;
  readonly seconds: number;
  readonly sender: string;
}

/** Sends bytes from alpha to beta over a link with these impairments. */
async function transfer(impairments: string, data: Buffer): Promise<Outcome> {
  const lab = await labFrom(TWO_NODES.replace('beta:en0]', `beta:en0], ${impairments}`));
  let ready!: () => void;
  const listening = new Promise<void>((resolve) => (ready = resolve));
  const { result } = start(nodeOf(lab, 'beta'), async (self) => {
    const fd = await listenOn(self, { address: INADDR_ANY, port: PORT }, 1);
    ready();
    const accepted = await libsocket.accept(self, fd);
    const pieces: Buffer[] = [];
    for (;;) {
      const piece = await libsocket.recv(self, accepted.fd, 65_536);
      if (piece.length === 0) return Buffer.concat(pieces);
      pieces.push(piece);
    }
  });
  await Promise.race([listening, result]);
  const begin = refreshNow();
  await asProgram(nodeOf(lab, 'alpha'), async (self) => {
    const fd = await libsocket.socket(self, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    await libsocket.connect(self, fd, { address: BETA, port: PORT });
    await libsocket.send(self, fd, data);
    await libsocket.shutdown(self, fd, SHUT_WR);
  });
  const received = await result;
  const seconds = (refreshNow() - begin) / 1e9;
  const sender = (await run(lab, 'alpha', 'netstat -s -p tcp')).out;
  await stopLab(lab);
  return { received, seconds, sender };
}

/** Bytes that repeat nowhere within a segment's distance. */
function bytes(length: number): Buffer {
  const data = Buffer.alloc(length);
  for (let i = 0; i + 4 <= length; i += 4) data.writeUInt32BE(i, i);
  return data;
}

test.each([
  'loss: 3%, delay: 1ms',
  'reorder: 10%, delay: 2ms, jitter: 1ms',
  'duplicate: 20%, delay: 1ms',
  'corrupt: 3%, delay: 1ms',
  'loss: 1%, duplicate: 1%, reorder: 2%, corrupt: 1%, delay: 5ms, jitter: 2ms, rate: 20mbit, queue: 30',
])('over a link with %s everything arrives, once and in order', async (impairments) => {
  const data = bytes(2_000_000);
  const { received } = await transfer(impairments, data);
  expect(received.equals(data)).toBe(true);
});

const counted = (text: string, what: string): number =>
  Number(new RegExp(`(\\d+) ${what}`).exec(text)?.[1] ?? 0);

test('a slow link is used to the full, and its queue overflows a few times only', async () => {
  const { seconds, sender } = await transfer('rate: 10mbit, delay: 5ms, queue: 50', bytes(5_000_000));
  // 1448 bytes of data in frames of 1514: 5 MB take 4.18 s.
  expect(seconds).toBeGreaterThan(4.1);
  expect(seconds).toBeLessThan(5);
  expect(counted(sender, 'retransmit timeouts')).toBe(0);
});

test('a long link is used as far as the window allows', async () => {
  const { seconds, sender } = await transfer('delay: 50ms', bytes(5_000_000));
  // 256 KiB per round trip of 100 ms once slow start is over: 2 s; slow start adds some round trips.
  expect(seconds).toBeGreaterThan(1.9);
  expect(seconds).toBeLessThan(3);
  expect(counted(sender, 'data packets retransmitted')).toBe(0);
});
