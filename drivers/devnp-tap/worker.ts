/**
 * The thread of one TAP: sleeps in poll(2) on the TAP and an eventfd(2), and moves frames in batches in both directions while there are any.
 * It ends when it is told to, or when the TAP is gone, with all its buffers given back.
 */
import { readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { i32, u16 } from '../../stack/memory/memory.ts';
import { POLLFD_BYTES, announceAwake, announceSleep, mustStop, tapDevices } from './device.ts';
import type { TapDevice } from './device.ts';
import { makeReceiver } from './receive.ts';
import type { Receiver } from './receive.ts';
import { LINUX_ERRNO, errno, memoryBase, poll } from './system.ts';
import { makeTransmitter } from './transmit.ts';
import type { Transmitter } from './transmit.ts';

const POLLIN = 0x1;
/** POLLERR, POLLHUP and POLLNVAL: there is no TAP behind the descriptor any more. */
const POLL_GONE = 0x38;
/** A thread that is ended by force sees it when it comes out of the system call. */
const LONGEST_SLEEP_MS = 1000;

function putPollfd(p: number, descriptor: number): void {
  i32[p >>> 2] = descriptor;
  u16[(p + 4) >>> 1] = POLLIN;
}

/** Sleeps until something is to be done; says whether the TAP has frames. */
function sleep(device: TapDevice, transmitter: Transmitter, counter: Uint8Array): boolean {
  const tap = device.polled;
  const bell = tap + POLLFD_BYTES;
  announceSleep(device);
  // Something may have come in before we said so.
  if (mustStop(device) || transmitter.waiting()) {
    announceAwake(device);
    return false;
  }
  const ready = poll(memoryBase + tap, 2, LONGEST_SLEEP_MS);
  announceAwake(device);
  if (ready < 0 && errno() !== LINUX_ERRNO.EINTR) device.failure = errno();
  if (ready <= 0) return false;
  device.wakeups++;
  if ((u16[(bell + 6) >>> 1]! & POLLIN) !== 0) readSync(device.wakeup, counter);
  const events = u16[(tap + 6) >>> 1]!;
  if ((events & POLL_GONE) !== 0) device.failure = LINUX_ERRNO.EBADFD;
  return (events & POLLIN) !== 0;
}

function move(device: TapDevice, receiver: Receiver, transmitter: Transmitter): void {
  const counter = new Uint8Array(8);
  let receiving = true;
  while (!mustStop(device) && device.failure === 0) {
    const sending = transmitter.transmit();
    if (receiving) receiving = receiver.receive();
    if (!sending && !receiving && device.failure === 0) receiving = sleep(device, transmitter, counter);
  }
}

function run(device: TapDevice): void {
  putPollfd(device.polled, device.descriptor);
  putPollfd(device.polled + POLLFD_BYTES, device.wakeup);
  const receiver = makeReceiver(device);
  const transmitter = makeTransmitter(device);
  parentPort?.postMessage('ready');
  move(device, receiver, transmitter);
  receiver.close();
  transmitter.close();
}

run(tapDevices.get((workerData as { readonly device: number }).device));
