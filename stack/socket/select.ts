/**
 * Waiting for several descriptors at once: poll(2), and select(2) on top of it. All sockets of one call belong to one stack; of an open file its resource manager is
 * asked.
 */
import { Buffer } from 'node:buffer';
import { pollFile } from '../kernel/files.ts';
import type { Process } from '../kernel/process.ts';
import { takeData } from '../kernel/stack-client.ts';
import type { PendingCall } from '../kernel/stack-client.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { OP, POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT } from '../runtime/messages/request.ts';
import { SocketDescriptor, request } from './descriptor.ts';

/** One entry of poll(2): POLL* asked for; what came true is written to `revents`. */
export interface PollEntry {
  readonly fd: number;
  readonly events: number;
  revents?: number;
}

const ENTRY_BYTES = 8;

/** What is asked of sockets and of open files; entries of descriptors that are not open have POLLNVAL already. */
interface Asked {
  readonly sockets: readonly { readonly entry: PollEntry; readonly socket: SocketDescriptor }[];
  readonly files: readonly PollEntry[];
  readonly invalid: number;
}

function sortEntries(proc: Process, entries: readonly PollEntry[]): Asked {
  const open = new Map(proc.fds.entries());
  const sockets: { entry: PollEntry; socket: SocketDescriptor }[] = [];
  const files: PollEntry[] = [];
  let invalid = 0;
  for (const entry of entries) {
    const descriptor = open.get(entry.fd);
    entry.revents = descriptor === undefined ? POLLNVAL : 0;
    if (descriptor === undefined) invalid++;
    else if (descriptor instanceof SocketDescriptor) sockets.push({ entry, socket: descriptor });
    else files.push(entry);
  }
  const [first] = sockets;
  if (sockets.some(({ socket }) => socket.server.address !== first?.socket.server.address))
    throw new SystemError(ERRNO.EINVAL, 'poll');
  return { sockets, files, invalid };
}

/** Asks the stack about its sockets. */
async function pollSockets(
  proc: Process,
  asked: Asked['sockets'],
  timeout: number,
  calls?: Set<PendingCall>,
): Promise<void> {
  const server = asked[0]?.socket.server;
  if (server === undefined) return;
  const data = Buffer.alloc(asked.length * ENTRY_BYTES);
  asked.forEach(({ entry, socket }, i) => {
    data.writeUInt32LE(socket.handle, i * ENTRY_BYTES);
    data.writeUInt32LE(entry.events, i * ENTRY_BYTES + 4);
  });
  const answer = takeData(await request(proc, server, 'poll', { op: OP.poll, data, timeout }, calls));
  asked.forEach(({ entry }, i) => {
    entry.revents = answer.readUInt32LE(i * ENTRY_BYTES + 4);
  });
}

async function pollOne(proc: Process, entry: PollEntry, timeout: number, signal: AbortSignal): Promise<void> {
  entry.revents = await pollFile(proc, entry.fd, entry.events, timeout, signal);
}

/** Waits for whichever of sockets and files is ready first, and then looks at all. */
async function pollMixed(proc: Process, { sockets, files }: Asked, timeout: number): Promise<void> {
  const stop = new AbortController();
  const calls = new Set<PendingCall>();
  const pass = (): void => stop.abort();
  proc.signal.addEventListener('abort', pass, { once: true });
  const waits = files.map((entry) => pollOne(proc, entry, timeout, stop.signal));
  if (sockets.length > 0) waits.push(pollSockets(proc, sockets, timeout, calls));
  try {
    await Promise.race(waits);
  } finally {
    stop.abort();
    for (const call of calls) call.cancel();
    await Promise.allSettled(waits);
    proc.signal.removeEventListener('abort', pass);
  }
  for (const entry of files) await pollOne(proc, entry, 0, proc.signal);
  await pollSockets(proc, sockets, 0);
}

/**
 * poll(2): waits until an entry is ready.
 * @param timeout ns; negative: none; 0: only look
 * @returns how many entries are ready; a descriptor that is not open has POLLNVAL
 */
export async function poll(proc: Process, entries: readonly PollEntry[], timeout: number): Promise<number> {
  const asked = sortEntries(proc, entries);
  const limit = asked.invalid > 0 ? 0 : timeout;
  if (asked.files.length === 0) await pollSockets(proc, asked.sockets, limit);
  else await pollMixed(proc, asked, limit);
  return entries.filter(({ revents }) => (revents ?? 0) !== 0).length;
}

/** Descriptors of select(2): asked for, and which of them are ready. */
export interface FdSets {
  readonly read?: readonly number[];
  readonly write?: readonly number[];
}

/**
 * select(2).
 * @param timeout ns; negative: none; 0: only look
 * @throws SystemError EBADF when a descriptor is not open
 */
export async function select(proc: Process, sets: FdSets, timeout: number): Promise<Required<FdSets>> {
  const { read = [], write = [] } = sets;
  const entries: PollEntry[] = [...new Set([...read, ...write])].map((fd) => ({
    fd,
    events: (read.includes(fd) ? POLLIN : 0) | (write.includes(fd) ? POLLOUT : 0),
  }));
  await poll(proc, entries, timeout);
  const revents = new Map(entries.map((entry) => [entry.fd, entry.revents ?? 0]));
  const has = (fd: number, mask: number): boolean => ((revents.get(fd) ?? 0) & mask) !== 0;
  if (entries.some(({ fd }) => has(fd, POLLNVAL))) throw new SystemError(ERRNO.EBADF, 'select');
  return {
    read: read.filter((fd) => has(fd, POLLIN | POLLHUP | POLLERR)),
    write: write.filter((fd) => has(fd, POLLOUT | POLLERR)),
  };
}
