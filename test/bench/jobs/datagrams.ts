/**
 * UDP datagrams from one node to another: programs that send and receive many with each call, and the datagrams per second that arrive.
 */
import { AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_RCVBUF } from '../../../stack/runtime/messages/request.ts';
import { ERRNO, SystemError } from '../../../stack/runtime/messages/errno.ts';
import { INADDR_ANY } from '../../../stack/socket/inet.ts';
import * as libsocket from '../../../stack/socket/libsocket.ts';
import { startTwoNodes } from './bench-lab.ts';
import type { LabMode } from './bench-lab.ts';
import { ALPHA_TO_BETA, transferRates } from './transfer.ts';
import type { Timing, Transfer } from './transfer.ts';

const PORT = 5001;
/** Datagrams of one call, and calls under way at a time, as threads of a program would have them. */
const BATCH = 128;
const CALLS = 4;
const RECEIVE_BUFFER = 1_048_576;

/** A full send queue is no failure of a sender that goes as fast as it can. */
function passOver(error: unknown): void {
  if (!(error instanceof SystemError) || error.errno !== ERRNO.ENOBUFS) throw error;
}

/** Sends datagrams of one size. */
export function datagrams(bytes: number): Transfer {
  const payload = new Uint8Array(bytes).fill(1);
  return {
    async source(self, to) {
      const fd = await libsocket.socket(self, AF_INET, SOCK_DGRAM, 0);
      await libsocket.connect(self, fd, { address: to, port: PORT });
      const batch = Array.from({ length: BATCH }, () => payload);
      const send = async (): Promise<never> => {
        for (;;) await libsocket.sendmmsg(self, fd, batch).catch(passOver);
      };
      return Promise.race(Array.from({ length: CALLS }, send));
    },
    async sink(self, received, onReady) {
      const fd = await libsocket.socket(self, AF_INET, SOCK_DGRAM, 0);
      await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
      await libsocket.bind(self, fd, { address: INADDR_ANY, port: PORT });
      onReady();
      const receive = async (): Promise<never> => {
        const targets = Array.from({ length: BATCH }, () => ({
          bytes: new Uint8Array(bytes + 1),
          length: 0,
          address: 0,
          port: 0,
        }));
        for (;;) {
          const came = await libsocket.recvmmsg(self, fd, targets);
          const wrong = targets.findIndex(({ length }, i) => i < came && length !== bytes);
          if (wrong >= 0)
            throw new Error(`a datagram of ${targets[wrong]!.length} bytes arrives, ${bytes} were sent`);
          received.count += came;
        }
      };
      return Promise.race(Array.from({ length: CALLS }, receive));
    },
  };
}

/** One run in a lab of its own: datagrams per second. */
export async function datagramsJob(options: LabMode & Timing & { readonly bytes: number }): Promise<number> {
  const lab = await startTwoNodes(options);
  try {
    const [arrived] = await transferRates(lab, options, datagrams(options.bytes), [ALPHA_TO_BETA]);
    return arrived!;
  } finally {
    await lab.stop();
  }
}
