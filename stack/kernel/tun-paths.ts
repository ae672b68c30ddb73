/**
 * /dev/tapN and /dev/tunN: what a program of the node opens to be the other end of an interface (netinet/tun.ts). Each read gives one frame or packet, each write is
 * one. Opening is a message to the stack that has the interface; a second opener gets EBUSY.
 */
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { AF_LINK, MSG_DONTWAIT, OP, SOCK_RAW } from '../runtime/messages/request.ts';
import { O_NONBLOCK, O_RDWR } from './io-message.ts';
import type { StackPort } from './process.ts';
import type { IoFunctions, RequestContext, ResourceManager } from './resource-manager.ts';
import { callForClient, callStack, takeData } from './stack-client.ts';

/** Bytes in front of what is written, for headers; behind 14 bytes of Ethernet an IP header is aligned. */
const LEAD = 82;

/** A device that is open; `socket` is 0 if it is only looked at (stat). */
interface Ocb {
  readonly socket: number;
  readonly flags: number;
}

/** An interface that programs can open. */
export interface TunInterface {
  readonly name: string;
  readonly index: number;
}

export interface TunPaths {
  /** The stack has these interfaces now: each has its path, and nobody else has. */
  update(interfaces: readonly TunInterface[]): void;
}

function ioOf(stack: number): IoFunctions<Ocb> {
  const waitFlag = ({ flags }: Ocb): number => ((flags & O_NONBLOCK) !== 0 ? MSG_DONTWAIT : 0);
  return {
    async read(context, ocb, bytes) {
      const message = { op: OP.recv, socket: ocb.socket, a: bytes, flags: waitFlag(ocb) };
      return takeData(await callForClient(stack, 'read', message, context.signal));
    },
    async write(_context, ocb, data) {
      if (data.length === 0) throw new SystemError(ERRNO.EINVAL, 'write');
      await callForClient(stack, 'write', { op: OP.send, socket: ocb.socket, data, lead: LEAD });
      return data.length;
    },
    stat: () => ({ kind: 'device', size: 0, mtime: 0, mode: 0o600 }),
    close(ocb) {
      if (ocb.socket !== 0) void callStack(stack, { op: OP.close, socket: ocb.socket }).reply;
    },
  };
}

/** The paths of a stack's tun and tap interfaces. */
export function tunPaths(manager: ResourceManager, { address, prefix }: StackPort): TunPaths {
  const attached = new Map<string, { readonly index: number; readonly detach: () => void }>();
  function attach({ name, index }: TunInterface): void {
    const open = async (context: RequestContext, _path: string, flags: number): Promise<Ocb> => {
      if ((flags & O_RDWR) === 0) return { socket: 0, flags };
      const message = { op: OP.socket, a: AF_LINK, b: SOCK_RAW, c: index };
      const socket = (await callForClient(address, name, message)).value;
      if (!context.signal.aborted) return { socket, flags };
      // Whoever wanted it has gone meanwhile.
      await callForClient(address, name, { op: OP.close, socket });
      throw new SystemError(ERRNO.EINTR, name);
    };
    const detach = manager.attach<Ocb>(`${prefix}/dev/${name}`, { open }, ioOf(address));
    attached.set(name, { index, detach });
  }
  return {
    update(interfaces) {
      for (const [name, { index, detach }] of attached) {
        if (interfaces.some((one) => one.name === name && one.index === index)) continue;
        attached.delete(name);
        detach();
      }
      for (const one of interfaces) if (!attached.has(one.name)) attach(one);
    },
  };
}
