/**
 * Neutrino message passing (System Architecture, "Interprocess Communication"): ChannelCreate, ConnectAttach, MsgSend, MsgReceive, MsgReply,
 * pulses and events. A sender is SEND-blocked until a server receives its message and REPLY-blocked until the server replies; a server runs
 * at the priority of the client it serves. Calls take the process that makes them as their first argument.
 */
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { sleepNs } from '../runtime/timers.ts';
import { interruptible } from './byte-stream.ts';
import type { Descriptor } from './descriptors.ts';
import { enterBlock, whileBlocked } from './party.ts';
import type {
  Answer,
  Channel,
  Connection,
  Message,
  MessageInfo,
  Party,
  QueuedMessage,
  QueuedPulse,
} from './party.ts';

/** The server keeps its own priority. */
export const CHF_FIXED_PRIORITY = 0x1;
/** A client that is interrupted while REPLY-blocked stays so: the server gets a pulse and decides. */
export const CHF_UNBLOCK = 0x2;
/** The server gets a pulse when a client's last connection goes. */
export const CHF_DISCONNECT = 0x4;

export const PULSE_CODE_UNBLOCK = -32;
export const PULSE_CODE_DISCONNECT = -33;
/** Pulse codes from here up are free for programs. */
export const PULSE_CODE_MINAVAIL = 0;

/** Connection ids from here up are never mistaken for file descriptors. */
export const SIDE_CHANNEL = 0x4000_0000;

const SCOID_SHIFT = 65_536;

/**
 * Programs run in one thread and, in virtual time, cost none. So that one which never waits for anything but messages holds up neither
 * the thread nor the clock, each so many of them are followed by a pause of so many ns.
 */
const SENDS_PER_TURN = 256;
const TURN_NS = 1000;

/** What MsgReceive() returns: a message to reply to, or a pulse (rcvid 0). */
export type Received =
  | { readonly rcvid: number; readonly info: MessageInfo; readonly message: Message }
  | { readonly rcvid: 0; readonly scoid: number; readonly code: number; readonly value: number };

/** What a client asks a server to notify it with: a pulse on one of the client's own connections. */
export interface SigEvent {
  readonly coid: number;
  readonly priority: number;
  readonly code: number;
  readonly value: number;
}

interface ConnectionDescriptor extends Descriptor {
  readonly kind: 'connection';
  readonly connection: Connection;
}

function isConnection(descriptor: Descriptor): descriptor is ConnectionDescriptor {
  return descriptor.kind === 'connection';
}

/** The connection a descriptor stands for. Throws EBADF when it is something else. */
export function connectionOf(self: Party, coid: number): Connection {
  const descriptor = self.fds.get(coid);
  if (!isConnection(descriptor)) throw new SystemError(ERRNO.EBADF, `connection ${coid}`);
  return descriptor.connection;
}

export function channelCreate(self: Party, flags = 0): number {
  const chid = self.messaging.nextChid++;
  self.messaging.channels.set(chid, { chid, flags, queue: [], receivers: [] });
  return chid;
}

/** Ends a channel: its clients get ESRCH, its receivers EINVAL. */
export function channelDestroy(self: Party, chid: number): void {
  const channel = findChannel(self, chid);
  self.messaging.channels.delete(chid);
  for (const item of channel.queue) if (item.kind === 'message') item.fail(ERRNO.ESRCH);
  for (const pending of [...self.messaging.unanswered.values()]) {
    if (pending.info.chid === chid) pending.fail(ERRNO.ESRCH);
  }
  for (const receiver of channel.receivers.splice(0)) receiver(undefined);
}

function findChannel(party: Party, chid: number): Channel {
  const channel = party.messaging.channels.get(chid);
  if (channel === undefined) throw new SystemError(ERRNO.EINVAL, `channel ${chid} of process ${party.pid}`);
  return channel;
}

/**
 * Connects to a channel of process `pid` on node `nd` (0: this one). Throws ESRCH when there is no such channel.
 * @param base lowest number for the connection id; 3 for one that is used as a file descriptor.
 */
export function connectAttach(
  self: Party,
  nd: number,
  pid: number,
  chid: number,
  base = SIDE_CHANNEL,
): number {
  const connection = nd === 0 ? attachLocal(self, pid, chid) : attachRemote(self, nd, pid, chid);
  const descriptor: ConnectionDescriptor = {
    kind: 'connection',
    connection,
    close: () => connection.detach(),
  };
  return self.fds.add(descriptor, base);
}

export function connectDetach(self: Party, coid: number): void {
  connectionOf(self, coid).detach();
  self.fds.remove(coid);
}

function attachRemote(self: Party, nd: number, pid: number, chid: number): Connection {
  const node = self.domain.remoteNode(nd);
  if (node === undefined) throw new SystemError(ERRNO.EHOSTUNREACH, `node descriptor ${nd}`);
  return node.attach(self, pid, chid);
}

/** A connection within one node; also what a network manager makes on behalf of a client elsewhere. */
export function attachLocal(client: Party, pid: number, chid: number): Connection {
  const server = client.domain.findParty(pid);
  const channel = server?.messaging.channels.get(chid);
  if (server === undefined || channel === undefined) {
    throw new SystemError(ERRNO.ESRCH, `channel ${chid} of process ${pid}`);
  }
  const scoid = server.messaging.nextScoid++;
  server.messaging.clients.set(scoid, client);
  let attached = true;
  return {
    nd: 0,
    pid,
    chid,
    send: (sender, message, signal) => sendLocal({ sender, server, channel, scoid, message, signal }),
    pulse: (code, value, priority) =>
      enqueue(server, channel, { kind: 'pulse', scoid, code, value, priority }),
    detach() {
      if (!attached) return;
      attached = false;
      server.messaging.clients.delete(scoid);
      if ((channel.flags & CHF_DISCONNECT) === 0) return;
      enqueue(server, channel, {
        kind: 'pulse',
        scoid,
        code: PULSE_CODE_DISCONNECT,
        value: scoid,
        priority: client.priority,
      });
    },
  };
}

interface Sending {
  readonly sender: Party;
  readonly server: Party;
  readonly channel: Channel;
  readonly scoid: number;
  readonly message: Message;
  readonly signal: AbortSignal;
}

function sendLocal(sending: Sending): Promise<Answer> {
  const { sender, server, channel, scoid, message, signal } = sending;
  if (!server.messaging.channels.has(channel.chid))
    return Promise.reject(new SystemError(ERRNO.ESRCH, 'MsgSend'));
  if (signal.aborted) return Promise.reject(new SystemError(ERRNO.EINTR, 'MsgSend'));
  return new Promise<Answer>((resolve, reject) => {
    let leave = enterBlock(sender, 'SEND', String(server.pid));
    const sequence = server.messaging.nextSequence++ % SCOID_SHIFT;
    const rcvid = scoid * SCOID_SHIFT + sequence;
    const onAbort = (): void => unblock(server, channel, pending);
    const finish = (): void => {
      leave();
      server.messaging.unanswered.delete(rcvid);
      signal.removeEventListener('abort', onAbort);
    };
    const pending: QueuedMessage = {
      kind: 'message',
      rcvid,
      info: {
        node: sender.domain.name,
        pid: sender.pid,
        chid: channel.chid,
        scoid,
        priority: sender.priority,
      },
      message,
      priority: sender.priority,
      received() {
        leave();
        leave = enterBlock(sender, 'REPLY', String(server.pid));
        server.messaging.unanswered.set(rcvid, pending);
      },
      settle(answer) {
        finish();
        resolve(answer);
      },
      fail(errno) {
        finish();
        reject(new SystemError(errno, message.type));
      },
    };
    signal.addEventListener('abort', onAbort);
    enqueue(server, channel, pending);
  });
}

/** What a signal does to a client: out of the queue at once; when the server has the message, as the channel's flags say. */
function unblock(server: Party, channel: Channel, pending: QueuedMessage): void {
  const queued = channel.queue.indexOf(pending);
  if (queued >= 0) channel.queue.splice(queued, 1);
  if (queued >= 0 || (channel.flags & CHF_UNBLOCK) === 0) {
    pending.fail(ERRNO.EINTR);
    return;
  }
  const { rcvid, priority } = pending;
  const { scoid } = pending.info;
  enqueue(server, channel, { kind: 'pulse', scoid, code: PULSE_CODE_UNBLOCK, value: rcvid, priority });
}

function enqueue(server: Party, channel: Channel, item: QueuedMessage | QueuedPulse): void {
  const receiver = channel.receivers.shift();
  if (receiver !== undefined) {
    receiver(item);
    return;
  }
  const { queue } = channel;
  let at = queue.length;
  while (at > 0 && queue[at - 1]!.priority < item.priority) at--;
  queue.splice(at, 0, item);
  // Priority inheritance: a server that is busy with a lesser client hurries for this one.
  if ((channel.flags & CHF_FIXED_PRIORITY) === 0 && server.priority < item.priority)
    server.priority = item.priority;
}

/** Waits for a message or pulse. Rejects with EINTR when the process is told to end, with EINVAL when the channel is destroyed. */
export async function msgReceive(self: Party, chid: number): Promise<Received> {
  const channel = findChannel(self, chid);
  const queued = channel.queue.shift();
  if (queued?.kind === 'message') queued.received();
  const item = queued ?? (await nextItem(self, channel));
  if (item === undefined) throw new SystemError(ERRNO.EINVAL, 'MsgReceive');
  if ((channel.flags & CHF_FIXED_PRIORITY) === 0) self.priority = item.priority;
  if (item.kind === 'pulse') return { rcvid: 0, scoid: item.scoid, code: item.code, value: item.value };
  return { rcvid: item.rcvid, info: item.info, message: item.message };
}

function nextItem(self: Party, channel: Channel): Promise<QueuedMessage | QueuedPulse | undefined> {
  self.priority = self.basePriority;
  let receiver: Channel['receivers'][number] | undefined;
  const item = new Promise<QueuedMessage | QueuedPulse | undefined>((resolve) => {
    // Marked as received in the same breath, so that an interrupted client always finds its message in the queue or unanswered.
    receiver = (next) => {
      if (next?.kind === 'message') next.received();
      resolve(next);
    };
    channel.receivers.push(receiver);
  });
  const wait = interruptible(item, self.signal, 'MsgReceive').catch((error: unknown) => {
    const at = channel.receivers.indexOf(receiver!);
    if (at >= 0) channel.receivers.splice(at, 1);
    throw error;
  });
  return whileBlocked(self, 'RECEIVE', String(channel.chid), wait);
}

function takeUnanswered(self: Party, rcvid: number): QueuedMessage {
  const pending = self.messaging.unanswered.get(rcvid);
  if (pending === undefined) throw new SystemError(ERRNO.ESRCH, `reply to ${rcvid}`);
  return pending;
}

/** Answers a message: the client's MsgSend() returns `status` and `reply`. Throws ESRCH when nobody waits for it any more. */
export function msgReply(self: Party, rcvid: number, status: number, reply?: unknown): void {
  takeUnanswered(self, rcvid).settle({ status, reply });
}

/** Answers a message with an error: the client's MsgSend() throws it. */
export function msgError(self: Party, rcvid: number, errno: number): void {
  takeUnanswered(self, rcvid).fail(errno);
}

/** True while a client waits for the answer to `rcvid`. */
export function isUnanswered(self: Party, rcvid: number): boolean {
  return self.messaging.unanswered.has(rcvid);
}

/** Sends a message and waits for the answer. Rejects with the server's error, EINTR when interrupted, ESRCH when the server dies. */
export async function msgSend(
  self: Party,
  coid: number,
  message: Message,
  signal = self.signal,
): Promise<Answer> {
  const connection = connectionOf(self, coid);
  if (++self.messaging.sends % SENDS_PER_TURN === 0) await sleepNs(TURN_NS, signal);
  return connection.send(self, message, signal);
}

/** Sends a pulse: a small message that is queued and never answered. `priority` defaults to the sender's. */
export function msgSendPulse(
  self: Party,
  coid: number,
  code: number,
  value: number,
  priority = self.priority,
): void {
  connectionOf(self, coid).pulse(code, value, priority);
}

/** Notifies the client behind `rcvid` (which may have been replied to) with the event that it had sent along. */
export function msgDeliverEvent(self: Party, rcvid: number, event: SigEvent): void {
  const client = self.messaging.clients.get(Math.floor(rcvid / SCOID_SHIFT));
  if (client === undefined) throw new SystemError(ERRNO.ESRCH, `client of ${rcvid}`);
  connectionOf(client, event.coid).pulse(event.code, event.value, event.priority);
}

/** Ends the message passing of a process that has ended. */
export function endMessaging(self: Party): void {
  for (const chid of [...self.messaging.channels.keys()]) channelDestroy(self, chid);
}
