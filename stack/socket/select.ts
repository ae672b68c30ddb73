/**
 * Waiting for several sockets at once: poll(2), and select(2) on top of it. All sockets of one call belong to one stack.
 */
import { Buffer } from 'node:buffer';
import type { Process } from '../kernel/process.ts';
import { takeData } from '../kernel/stack-client.ts';
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

function openSocket(proc: Process, fd: number): SocketDescriptor | undefined {
  const entry = proc.fds.entries().find(([number]) => number === fd);
  return entry?.[1] instanceof SocketDescriptor ? entry[1] : undefined;
}

/**
 * poll(2): waits until an entry is ready.
 * @param timeout ns; negative: none; 0: only look
 * @returns how many entries are ready; a descriptor that is not open has POLLNVAL
 */
export async function poll(proc: Process, entries: readonly PollEntry[], timeout: number): Promise<number> {
  const asked: { entry: PollEntry; socket: SocketDescriptor }[] = [];
  let invalid = 0;
  for (const entry of entries) {
    const socket = openSocket(proc, entry.fd);
    entry.revents = socket === undefined ? POLLNVAL : 0;
    if (socket === undefined) invalid++;
    else asked.push({ entry, socket });
  }
  const server = asked[0]?.socket.server;
  if (server === undefined) return invalid;
  if (asked.some(({ socket }) => socket.server.address !== server.address))
    throw new SystemError(ERRNO.EINVAL, 'poll');
  const data = Buffer.alloc(asked.length * ENTRY_BYTES);
  asked.forEach(({ entry, socket }, i) => {
    data.writeUInt32LE(socket.handle, i * ENTRY_BYTES);
    data.writeUInt32LE(entry.events, i * ENTRY_BYTES + 4);
  });
  const reply = await request(proc, server, 'poll', {
    op: OP.poll,
    data,
    timeout: invalid > 0 ? 0 : timeout,
  });
  const answer = takeData(reply);
  asked.forEach(({ entry }, i) => {
    entry.revents = answer.readUInt32LE(i * ENTRY_BYTES + 4);
  });
  return reply.value + invalid;
}

/** Descriptors of select(2): asked for, and which of them are ready. */
export interface FdSets {
  readonly read?: readonly number[];
  readonly write?: readonly number[];
}

/**
 * select(2).
 * @param timeout ns; negative: none; 0: only look
 * @throws SystemError EBADF when a descriptor is not an open socket
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
