/**
 * Bulk TCP from one node to another: two programs that send and receive as much as they can, and the bits per second that arrive.
 */
import { Buffer } from 'node:buffer';
import { AF_INET, SOCK_STREAM } from '../../../stack/runtime/messages/request.ts';
import { INADDR_ANY } from '../../../stack/socket/inet.ts';
import * as libsocket from '../../../stack/socket/libsocket.ts';
import { startTwoNodes } from './bench-lab.ts';
import type { LabMode } from './bench-lab.ts';
import { ALPHA_TO_BETA, transferRates } from './transfer.ts';
import type { Timing, Transfer } from './transfer.ts';

const PORT = 5001;
const SEND_BYTES = 256 * 1024;
/** All bytes of a word of the stream are the number of the word, counted up to this prime: what is out of place shows at the ends of any buffer. */
const WORDS = 251;
const WORD_BYTES = 8;
const PERIOD = WORDS * WORD_BYTES;

function byteAt(position: number): number {
  return Math.floor((position % PERIOD) / WORD_BYTES);
}

/** Any part of the stream that one call sends is a part of this, at a whole word, as buffers of programs are. */
const pattern = Buffer.alloc(SEND_BYTES + PERIOD).map((_, i) => byteAt(i));

/** Sends a stream whose bytes say where in it they are, and looks at the ends of what arrives. */
export const stream: Transfer = {
  async source(self, to) {
    const fd = await libsocket.socket(self, AF_INET, SOCK_STREAM, 0);
    await libsocket.connect(self, fd, { address: to, port: PORT });
    for (let at = 0; ; at = (at + SEND_BYTES) % PERIOD) {
      await libsocket.send(self, fd, pattern.subarray(at, at + SEND_BYTES));
    }
  },

  async sink(self, received, onReady) {
    const listening = await libsocket.socket(self, AF_INET, SOCK_STREAM, 0);
    await libsocket.bind(self, listening, { address: INADDR_ANY, port: PORT });
    await libsocket.listen(self, listening, 1);
    onReady();
    const { fd } = await libsocket.accept(self, listening);
    const data = new Uint8Array(SEND_BYTES);
    for (;;) {
      const bytes = await libsocket.recvInto(self, fd, data);
      const next = received.count + bytes;
      const inPlace = data[0] === byteAt(received.count) && data[bytes - 1] === byteAt(next - 1);
      if (!inPlace) throw new Error(`after ${received.count} bytes, other bytes arrive than were sent`);
      received.count = next;
    }
  },
};

/** One run in a lab of its own: Gbit/s. */
export async function streamJob(options: LabMode & Timing): Promise<number> {
  const lab = await startTwoNodes(options);
  try {
    const [bytes] = await transferRates(lab, options, stream, [ALPHA_TO_BETA]);
    return (8 * bytes!) / 1e9;
  } finally {
    await lab.stop();
  }
}
