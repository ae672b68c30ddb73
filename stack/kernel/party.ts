/**
 * A party to message passing: what channels need to know of a process. Its thread states are those that `pidin` shows on Neutrino.
 */
import type { DescriptorTable } from './descriptors.ts';

/** Thread states (pidin). A program that waits for nothing the kernel knows of is READY. */
export type ThreadState =
  'READY' | 'SEND' | 'REPLY' | 'RECEIVE' | 'NANOSLEEP' | 'WAITPID' | 'SIGWAITINFO' | 'STOPPED';

/** What a process waits for; `on` is what pidin prints in its last column: a pid for SEND and REPLY, a chid for RECEIVE. */
export interface Block {
  readonly state: ThreadState;
  readonly on: string;
}

export interface Party {
  readonly pid: number;
  readonly domain: Domain;
  /** Priority it was given; `priority` floats to that of the client it serves. */
  basePriority: number;
  priority: number;
  /** Waits under way, latest last. */
  readonly blocks: Block[];
  readonly fds: DescriptorTable;
  readonly messaging: Messaging;
  /** Aborted when the process is told to end: every wait gives up with EINTR. */
  readonly signal: AbortSignal;
}

/** Where process ids are looked up: a node. */
export interface Domain {
  readonly name: string;
  findParty(pid: number): Party | undefined;
  /** The node that a node descriptor other than 0 stands for; undefined if there is none. */
  remoteNode(nd: number): RemoteNode | undefined;
}

/** Another node, as a network manager such as Qnet reaches it. */
export interface RemoteNode {
  /** Makes a connection to a channel there. Throws SystemError when that node or channel cannot be reached. */
  attach(client: Party, pid: number, chid: number): Connection;
}

/** A message: plain data (numbers, texts, byte arrays), so that it can travel to another node. */
export interface Message {
  readonly type: string;
}

/** What MsgReply() gave. */
export interface Answer {
  readonly status: number;
  readonly reply: unknown;
}

/** A client's end of a channel. */
export interface Connection {
  readonly nd: number;
  readonly pid: number;
  readonly chid: number;
  send(sender: Party, message: Message, signal: AbortSignal): Promise<Answer>;
  pulse(code: number, value: number, priority: number): void;
  detach(): void;
}

/** Who sent a message. */
export interface MessageInfo {
  readonly node: string;
  readonly pid: number;
  readonly chid: number;
  /** The server's name for the connection. */
  readonly scoid: number;
  readonly priority: number;
}

/** A message or pulse in a channel's queue. */
export interface QueuedMessage {
  readonly kind: 'message';
  readonly rcvid: number;
  readonly info: MessageInfo;
  readonly message: Message;
  readonly priority: number;
  /** The server has it: its client goes from SEND to REPLY blocked. */
  received(): void;
  settle(answer: Answer): void;
  fail(errno: number): void;
}
export interface QueuedPulse {
  readonly kind: 'pulse';
  readonly scoid: number;
  readonly code: number;
  readonly value: number;
  readonly priority: number;
}

export interface Channel {
  readonly chid: number;
  readonly flags: number;
  /** Highest priority first, in order of arrival within one. */
  readonly queue: (QueuedMessage | QueuedPulse)[];
  /** Receivers that wait. */
  readonly receivers: ((item: QueuedMessage | QueuedPulse | undefined) => void)[];
}

/** The message-passing state of one process. */
export interface Messaging {
  readonly channels: Map<number, Channel>;
  /** Messages received and not yet replied to, by rcvid. */
  readonly unanswered: Map<number, QueuedMessage>;
  /** Clients by scoid. */
  readonly clients: Map<number, Party>;
  nextChid: number;
  nextScoid: number;
  nextSequence: number;
  /** Messages sent so far. */
  sends: number;
}

export function createMessaging(): Messaging {
  return {
    channels: new Map(),
    unanswered: new Map(),
    clients: new Map(),
    nextChid: 1,
    nextScoid: 1,
    nextSequence: 1,
    sends: 0,
  };
}

/** Marks a party as waiting until the returned function is called. */
export function enterBlock(party: Party, state: ThreadState, on: string): () => void {
  const block = { state, on };
  party.blocks.push(block);
  return () => {
    const at = party.blocks.indexOf(block);
    if (at >= 0) party.blocks.splice(at, 1);
  };
}

/** Shows a party as waiting while `work` is under way. */
export async function whileBlocked<T>(
  party: Party,
  state: ThreadState,
  on: string,
  work: Promise<T>,
): Promise<T> {
  const leave = enterBlock(party, state, on);
  try {
    return await work;
  } finally {
    leave();
  }
}
