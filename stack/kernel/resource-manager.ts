/**
 * The resource manager framework (resmgr_attach(), dispatch_*()): a server attaches handlers to pathname prefixes; messages from its channel
 * find the handler and the open control block (OCB) of the connection they came over. A handler that returns a promise leaves its client
 * REPLY-blocked meanwhile; when that client is interrupted the context's signal aborts and the client gets EINTR.
 */
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import {
  CHF_DISCONNECT,
  CHF_UNBLOCK,
  PULSE_CODE_DISCONNECT,
  PULSE_CODE_UNBLOCK,
  channelCreate,
  isUnanswered,
  msgError,
  msgReceive,
  msgReply,
} from './channel.ts';
import type { Received } from './channel.ts';
import type { DirectoryEntry, IoMap, IoMessage, IoType, Stat } from './io-message.ts';
import type { MessageInfo } from './party.ts';
import type { PathServer } from './path-space.ts';
import type { LabNode, Process } from './process.ts';
import { SLOG } from '../runtime/messages/severity.ts';

/** What a handler knows of the request it serves. */
export interface RequestContext {
  readonly client: MessageInfo;
  /** Aborts when the client gives up. */
  readonly signal: AbortSignal;
}

type Awaitable<T> = T | Promise<T>;

/** Handlers of the connect messages. `path` is what lies below the attach point, '' for the point itself. */
export interface ConnectFunctions<O> {
  /** Opens a path: returns the OCB. Throws SystemError. */
  open(context: RequestContext, path: string, flags: number, mode: number): Awaitable<O>;
  unlink?(context: RequestContext, path: string): Awaitable<void>;
  mkdir?(context: RequestContext, path: string, mode: number): Awaitable<void>;
  rename?(context: RequestContext, path: string, to: string): Awaitable<void>;
}

/** Handlers of the I/O messages; an absent one answers ENOSYS (ENOTDIR for readdir, ENOTTY for devctl). */
export interface IoFunctions<O> {
  /** At most `bytes` bytes from the OCB's position; none at the end. */
  read?(context: RequestContext, ocb: O, bytes: number): Awaitable<Uint8Array>;
  /** Returns how many bytes were taken. */
  write?(context: RequestContext, ocb: O, data: Uint8Array): Awaitable<number>;
  lseek?(
    context: RequestContext,
    ocb: O,
    offset: number,
    from: 'start' | 'current' | 'end',
  ): Awaitable<number>;
  readdir?(context: RequestContext, ocb: O): Awaitable<DirectoryEntry[]>;
  stat?(context: RequestContext, ocb: O): Awaitable<Stat>;
  devctl?(context: RequestContext, ocb: O, command: string, data: unknown): Awaitable<unknown>;
  /** Waits for events (POLL*), at most `timeout` ns; negative: without end. Absent: it is always ready. */
  poll?(context: RequestContext, ocb: O, events: number, timeout: number): Awaitable<number>;
  /** The last use of the OCB is over. */
  close?(ocb: O): void;
}

/** Handlers of one attach point with the type of OCB forgotten: the manager gives each only OCBs that it made itself. */
interface AttachPoint {
  readonly connect: ConnectFunctions<unknown>;
  readonly io: IoFunctions<unknown>;
}

interface OpenControlBlock {
  readonly point: AttachPoint;
  readonly ocb: unknown;
}

export interface ResourceManager {
  /** Registers a prefix. Returns what takes it away again. */
  attach<O>(prefix: string, connect: ConnectFunctions<O>, io: IoFunctions<O>): () => void;
  /** Serves until the process is told to end; then the prefixes are gone. */
  serve(): Promise<void>;
}

/** Makes `self` a resource manager. */
export function resourceManager(self: Process): ResourceManager {
  const chid = channelCreate(self, CHF_UNBLOCK | CHF_DISCONNECT);
  const points = new Map<number, AttachPoint>();
  const open = new Map<number, OpenControlBlock>();
  const underway = new Map<number, AbortController>();
  const detachAll = new Set<() => void>();
  const { paths }: LabNode = self.node;
  let nextHandle = 1;

  function attach<O>(prefix: string, connect: ConnectFunctions<O>, io: IoFunctions<O>): () => void {
    const handle = nextHandle++;
    const server: PathServer = { nd: 0, pid: self.pid, chid, handle };
    points.set(handle, { connect, io });
    paths.register(prefix, server);
    const detach = (): void => {
      detachAll.delete(detach);
      points.delete(handle);
      paths.unregister(prefix, server);
    };
    detachAll.add(detach);
    return detach;
  }

  function pulse(code: number, value: number): void {
    if (code === PULSE_CODE_UNBLOCK) {
      underway.get(value)?.abort();
      if (isUnanswered(self, value)) msgError(self, value, ERRNO.EINTR);
    } else if (code === PULSE_CODE_DISCONNECT) release(value);
  }
  function release(scoid: number): void {
    const block = open.get(scoid);
    open.delete(scoid);
    block?.point.io.close?.(block.ocb);
  }

  function pointOf(handle: number): AttachPoint {
    const point = points.get(handle);
    if (point === undefined) throw new SystemError(ERRNO.ENOENT, `attach point ${handle}`);
    return point;
  }

  function handle(context: RequestContext, message: IoMessage): Awaitable<unknown> {
    const { scoid } = context.client;
    switch (message.type) {
      case 'open':
        return keepOcb(scoid, pointOf(message.handle), context, message);
      case 'unlink':
        return need(pointOf(message.handle).connect.unlink)(context, message.path);
      case 'mkdir':
        return need(pointOf(message.handle).connect.mkdir)(context, message.path, message.mode);
      case 'rename':
        return need(pointOf(message.handle).connect.rename)(context, message.path, message.to);
      default:
        return handleIo(context, message);
    }
  }
  async function keepOcb(
    scoid: number,
    point: AttachPoint,
    context: RequestContext,
    message: IoMap['open']['body'],
  ): Promise<void> {
    const ocb = await point.connect.open(context, message.path, message.flags, message.mode);
    open.set(scoid, { point, ocb });
  }
  function handleIo(
    context: RequestContext,
    message: Exclude<IoMessage, { type: 'open' | 'unlink' | 'mkdir' | 'rename' }>,
  ): Awaitable<unknown> {
    const block = open.get(context.client.scoid);
    if (block === undefined) throw new SystemError(ERRNO.EBADF, message.type);
    const { io } = block.point;
    switch (message.type) {
      case 'read':
        return need(io.read)(context, block.ocb, message.bytes);
      case 'write':
        return need(io.write)(context, block.ocb, message.data);
      case 'lseek':
        return need(io.lseek)(context, block.ocb, message.offset, message.from);
      case 'readdir':
        return need(io.readdir, ERRNO.ENOTDIR)(context, block.ocb);
      case 'stat':
        return io.stat?.(context, block.ocb) ?? { kind: 'name', size: 0, mtime: 0, mode: 0o666 };
      case 'poll':
        return io.poll?.(context, block.ocb, message.events, message.timeout) ?? message.events;
      case 'devctl':
        return need(io.devctl, ERRNO.ENOTTY)(context, block.ocb, message.command, message.data);
    }
    throw new SystemError(ERRNO.ENOSYS, (message as { type: IoType }).type);
  }

  async function answer(received: ReceivedMessage): Promise<void> {
    const { rcvid, info, message } = received;
    const controller = new AbortController();
    underway.set(rcvid, controller);
    try {
      const reply = await handle({ client: info, signal: controller.signal }, message as IoMessage);
      if (isUnanswered(self, rcvid)) msgReply(self, rcvid, 0, reply);
    } catch (error) {
      if (!(error instanceof SystemError)) logFault(self, message.type, error);
      const errno = error instanceof SystemError ? error.errno : ERRNO.EIO;
      if (isUnanswered(self, rcvid)) msgError(self, rcvid, errno);
    } finally {
      underway.delete(rcvid);
    }
  }

  async function serve(): Promise<void> {
    try {
      for (;;) {
        const received = await msgReceive(self, chid);
        if ('message' in received) void answer(received);
        else pulse(received.code, received.value);
      }
    } catch (error) {
      if (!self.signal.aborted) throw error;
    } finally {
      for (const detach of [...detachAll]) detach();
      for (const scoid of [...open.keys()]) release(scoid);
    }
  }
  return { attach, serve };
}

type ReceivedMessage = Extract<Received, { message: unknown }>;

/** A handler's own fault: its client gets EIO, the manager goes on. */
function logFault(self: Process, type: string, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  self.node.log.write(SLOG.error, self.name, `${type}: ${text}`);
}

function need<F>(handler: F | undefined, errno: number = ERRNO.ENOSYS): F {
  if (handler === undefined) throw new SystemError(errno, 'resource manager');
  return handler;
}
