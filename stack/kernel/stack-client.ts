/**
 * MsgSend() to an io-pkt: a request record goes to the stack's queue, its source is raised, and the caller's promise is kept when the reply comes.
 * Clients live in the thread that owns the memory (thread 0); replies come back on a ring, each with one wake-up per batch.
 */
import { Buffer } from 'node:buffer';
import { region, u32 } from '../memory/memory.ts';
import { HEADROOM, mFree, mFreeList, mbuf, ownerTag } from '../memory/mbuf.ts';
import { mFromBytes, mToBytes } from '../memory/mbuf-chain.ts';
import { nextRecord } from '../memory/queue.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import type { ControlIn, ControlName, ControlOut } from '../runtime/messages/control.ts';
import { OP, requests } from '../runtime/messages/request.ts';
import type { Request } from '../runtime/messages/request.ts';
import { postRequest, setReplyHandler } from '../runtime/messages/post.ts';

/** A reply: valid only inside the completion it is given to; whoever wants its chain takes it with `takeChain`. */
export interface Reply {
  readonly status: number;
  readonly value: number;
  readonly value2: number;
  readonly c: number;
  /** Data of the reply, 0 if none. The receiver frees it. */
  readonly chain: number;
  readonly chainLen: number;
}

/** What a call is: the operation, its arguments, its data. */
export interface StackCall {
  readonly op: number;
  readonly socket?: number;
  readonly a?: number;
  readonly b?: number;
  readonly c?: number;
  readonly flags?: number;
  /** Data on the way in: bytes that are copied into mbufs once. */
  readonly data?: Uint8Array;
  /** Bytes kept free in front of the data, for headers. */
  readonly lead?: number;
  /** Several datagrams instead of `data`. */
  readonly datagrams?: readonly Uint8Array[];
  /** ns; 0 or absent: none. */
  readonly timeout?: number;
  /** Priority of the client; io-pkt floats to it. */
  readonly priority?: number;
}

interface Completion {
  /** Number of the call. */
  readonly call: number;
  readonly settle: (reply: Reply) => void;
}

/** Who waits for the reply to a request, by the request's place in its slab. */
const completions: (Completion | undefined)[] = [];
/** Number of the last call: like all that a lab does, it begins anew with the memory. */
const lastCall = region('client calls', 64) >>> 2;
const MESSAGE = ownerTag('message');
const DEFAULT_PRIORITY = 10;

function onReply(ptr: number): void {
  const request = requests.get(ptr);
  const slot = requests.indexOf(ptr);
  const { status, value, value2, c, chain, chainLen } = request;
  const completion = completions[slot];
  completions[slot] = undefined;
  requests.free(ptr);
  completion?.settle({ status, value, value2, c, chain, chainLen });
}
setReplyHandler(onReply);

/** A call in flight: its reply, and how to give it up. */
export interface PendingCall {
  readonly reply: Promise<Reply>;
  /** Asks the stack to end the call with EINTR if it is still blocked; the reply comes in any case. */
  cancel(): void;
}

function fill(request: Request, stack: number, call: StackCall): boolean {
  request.op = call.op;
  request.priority = call.priority ?? DEFAULT_PRIORITY;
  request.stack = stack;
  request.socket = call.socket ?? 0;
  request.a = call.a ?? 0;
  request.b = call.b ?? 0;
  request.c = call.c ?? 0;
  request.flags = call.flags ?? 0;
  request.timeout = call.timeout ?? 0;
  if (call.datagrams !== undefined) return fillDatagrams(request, call.datagrams);
  if (call.data === undefined) return true;
  const chain = mFromBytes(MESSAGE, call.data, call.lead ?? 0);
  if (chain === 0) return false;
  request.chain = chain;
  request.chainLen = call.data.length;
  return true;
}

/** Makes a packet of each datagram; false (and none of them) when buffers are exhausted. */
function fillDatagrams(request: Request, datagrams: readonly Uint8Array[]): boolean {
  let last = 0;
  for (const bytes of datagrams) {
    const m = mFromBytes(MESSAGE, bytes, HEADROOM);
    if (m === 0) {
      mFreeList(request.chain);
      return false;
    }
    if (last === 0) request.chain = m;
    else mbuf(last).nextpkt = m;
    last = m;
  }
  return true;
}

const FAILED = { value: 0, value2: 0, c: 0, chain: 0, chainLen: 0 };

/** Sends a message to a stack (its address). Never rejects: look at `status`. ENOBUFS when requests or buffers are exhausted. */
export function callStack(stack: number, call: StackCall): PendingCall {
  const ptr = requests.alloc();
  if (ptr === 0)
    return { reply: Promise.resolve({ status: ERRNO.ENOBUFS, ...FAILED }), cancel: () => undefined };
  const request = requests.get(ptr);
  if (!fill(request, stack, call)) {
    requests.free(ptr);
    return { reply: Promise.resolve({ status: ERRNO.ENOBUFS, ...FAILED }), cancel: () => undefined };
  }
  const number = nextCall();
  request.client = number;
  const slot = requests.indexOf(ptr);
  while (completions.length <= slot) completions.push(undefined);
  const reply = new Promise<Reply>((settle) => {
    completions[slot] = { call: number, settle };
  });
  postRequest(ptr);
  return { reply, cancel: () => unblock(stack, ptr, number) };
}

function nextCall(): number {
  const next = (u32[lastCall]! + 1) >>> 0;
  // 0 is nobody.
  return (u32[lastCall] = next === 0 ? 1 : next);
}

/** The record of a call that is over may be that of another one: hence the number. */
function unblock(stack: number, target: number, call: number): void {
  if (completions[requests.indexOf(target)]?.call !== call) return;
  const ptr = requests.alloc();
  if (ptr === 0) return;
  const { priority } = requests.get(target);
  fill(requests.get(ptr), stack, { op: OP.unblock, a: target, b: call | 0, priority });
  postRequest(ptr);
}

/**
 * Makes a call in place of a client of a resource manager.
 * @param what what is called, for the text of the error
 * @param signal ends the call with EINTR when the client gives up
 * @throws SystemError with the stack's errno
 */
export async function callForClient(
  stack: number,
  what: string,
  message: StackCall,
  signal?: AbortSignal,
): Promise<Reply> {
  const pending = callStack(stack, message);
  signal?.addEventListener('abort', pending.cancel, { once: true });
  const reply = await pending.reply;
  signal?.removeEventListener('abort', pending.cancel);
  if (reply.status !== 0) throw new SystemError(reply.status, what);
  return reply;
}

/** Copies the data of a reply out (one copy) and frees it. */
export function takeData(reply: Reply): Buffer {
  const bytes = Buffer.allocUnsafe(reply.chainLen);
  takeDataInto(reply, bytes);
  return bytes;
}

/** Copies the data of a reply to the start of `target`, which has room for it, and frees it. Returns how many bytes that were. */
export function takeDataInto(reply: Reply, target: Uint8Array): number {
  if (reply.chain === 0) return 0;
  mToBytes(reply.chain, target, reply.chainLen);
  mFree(reply.chain);
  return reply.chainLen;
}

/** Where a datagram goes that was received with others. */
export interface DatagramTarget {
  readonly bytes: Uint8Array;
  /** Set to how many bytes came, and from where (host order). */
  length: number;
  address: number;
  port: number;
}

/** Copies the datagrams of a reply into targets, which have room for them, and frees them. Returns how many there were. */
export function takeDatagramsInto(reply: Reply, targets: readonly DatagramTarget[]): number {
  let taken = 0;
  for (let m = reply.chain; m !== 0; m = nextRecord(m)) {
    const view = mbuf(m);
    const target = targets[taken++]!;
    target.length = mToBytes(m, target.bytes, view.pktLen);
    target.address = view.aux >>> 0;
    target.port = view.aux2;
  }
  mFreeList(reply.chain);
  return taken;
}

let onChange: (stack: number) => void = () => undefined;

/** Has `listener` told when a call has given a stack new interfaces, before the program that made it goes on; undefined: nobody. */
export function setInterfaceListener(listener: ((stack: number) => void) | undefined): void {
  onChange = listener ?? (() => undefined);
}

const ADDS_INTERFACES: ReadonlySet<ControlName> = new Set(['SIOCIFCREATE']);

/** Makes a control call (ioctl, routing socket, sysctl) at the priority of the client and returns its answer; throws SystemError with the stack's text. */
export async function control<N extends ControlName>(
  stack: number,
  name: N,
  argument: ControlIn<N>,
  priority = DEFAULT_PRIORITY,
): Promise<ControlOut<N>> {
  const data = Buffer.from(JSON.stringify({ name, argument }));
  const reply = await callStack(stack, { op: OP.control, data, priority }).reply;
  const text = takeData(reply).toString();
  if (reply.status !== 0) throw new SystemError(reply.status, text === '' ? name : text);
  if (ADDS_INTERFACES.has(name)) onChange(stack);
  return JSON.parse(text) as ControlOut<N>;
}
