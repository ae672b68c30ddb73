/**
 * A socket as a descriptor of a process: the stack that has it, its handle there, and the calls in flight on it. Every call of libsocket passes
 * here, so that a signal or a close ends what is blocked (on Neutrino: the unblock pulse).
 */
import { mFree } from '../memory/mbuf.ts';
import type { Descriptor } from '../kernel/descriptors.ts';
import type { Process } from '../kernel/process.ts';
import { stackOf } from '../kernel/io-pkt.ts';
import { whileBlocked } from '../kernel/party.ts';
import { callStack } from '../kernel/stack-client.ts';
import type { PendingCall, Reply, StackCall } from '../kernel/stack-client.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { OP } from '../runtime/messages/request.ts';

/** Who answers: a stack by its address, and its process, for which pidin shows the caller as REPLY-blocked. */
export interface StackServer {
  readonly address: number;
  readonly pid: number;
  /** False once the stack has ended: another may have its address by now, which knows nothing of its sockets. */
  isRunning(): boolean;
}

/** The stack that a process uses. Throws SystemError ENOENT when there is none. */
export function stackServer(proc: Process): StackServer {
  const port = stackOf(proc);
  const { paths, stacks } = proc.node;
  return {
    address: port.address,
    pid: paths.resolve(`${port.prefix}/dev/socket`)?.server.pid ?? 0,
    isRunning: () => stacks.get(port.prefix) === port,
  };
}

/** Calls in flight of each process: what a signal interrupts. */
const inFlight = new WeakMap<Process, Set<PendingCall>>();

function callsOf(proc: Process): Set<PendingCall> {
  const known = inFlight.get(proc);
  if (known !== undefined) return known;
  const calls = new Set<PendingCall>();
  inFlight.set(proc, calls);
  const interrupt = (): void => {
    for (const call of calls) call.cancel();
  };
  proc.signal.addEventListener('abort', interrupt, { once: true });
  return calls;
}

/**
 * Sends a message to a stack and waits for its answer.
 * @param what the call's name, for the message of its error
 * @param calls where the call is listed while it is in flight, so that a close can end it
 * @throws SystemError with the stack's errno; EINTR when the process is or was interrupted; ENXIO when the stack has ended
 */
export async function request(
  proc: Process,
  server: StackServer,
  what: string,
  call: StackCall,
  calls?: Set<PendingCall>,
): Promise<Reply> {
  if (proc.signal.aborted) throw new SystemError(ERRNO.EINTR, what);
  if (!server.isRunning()) throw new SystemError(ERRNO.ENXIO, what);
  const all = callsOf(proc);
  const pending = callStack(server.address, { ...call, priority: proc.priority });
  all.add(pending);
  calls?.add(pending);
  const reply = await whileBlocked(proc, 'REPLY', String(server.pid), pending.reply);
  all.delete(pending);
  calls?.delete(pending);
  if (reply.status === 0) return reply;
  if (reply.chain !== 0) mFree(reply.chain);
  throw new SystemError(reply.status, what);
}

/** The `socket` kind of descriptor. */
export class SocketDescriptor implements Descriptor {
  readonly kind = 'socket';
  /** The stack that has the socket. */
  readonly server: StackServer;
  /** The socket's handle in its stack. */
  readonly handle: number;
  /** SOCK_STREAM, SOCK_DGRAM or SOCK_RAW. */
  readonly type: number;
  nonBlocking = false;
  /** ns, 0 for none. */
  receiveTimeout = 0;
  sendTimeout = 0;
  readonly #calls = new Set<PendingCall>();
  #closed = false;

  constructor(server: StackServer, handle: number, type: number) {
    this.server = server;
    this.handle = handle;
    this.type = type;
  }

  /** A call on this socket; see `request`. EBADF after close. */
  call(proc: Process, what: string, call: StackCall): Promise<Reply> {
    if (this.#closed) return Promise.reject(new SystemError(ERRNO.EBADF, what));
    return request(proc, this.server, what, { ...call, socket: this.handle }, this.#calls);
  }

  /** Ends what is blocked on the socket and closes it: also when its process has been killed, so no signal stops this call. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const call of this.#calls) call.cancel();
    // It went with its stack.
    if (!this.server.isRunning()) return;
    const { status } = await callStack(this.server.address, { op: OP.close, socket: this.handle }).reply;
    if (status !== 0) throw new SystemError(status, 'close');
  }
}
