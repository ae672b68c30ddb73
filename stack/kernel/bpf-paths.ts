/**
 * /dev/bpf and /dev/bpf0 (bpf(4)): every open makes a descriptor of its own in the stack (net/bpf/device.ts), which is closed with it. Ioctls come as devctl(), by their
 * names (runtime/messages/bpf.ts).
 */
import { Buffer } from 'node:buffer';
import type { BpfStackCommand } from '../runtime/messages/bpf.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { AF_BPF, MSG_DONTWAIT, OP, POLLIN, SOCK_RAW } from '../runtime/messages/request.ts';
import { O_NONBLOCK, O_RDWR } from './io-message.ts';
import { SIGNALS } from './process.ts';
import type { LabNode, SignalName, StackPort } from './process.ts';
import type { IoFunctions, RequestContext, ResourceManager } from './resource-manager.ts';
import { callForClient, callStack, control, takeData } from './stack-client.ts';
import type { PendingCall } from './stack-client.ts';

/** Bytes in front of what is written, for headers; behind 14 bytes of Ethernet an IP header is aligned. */
const LEAD = 82;
const NAMES = ['bpf', 'bpf0'];

/** A descriptor that is open. */
interface Ocb {
  /** 0 if the device is only looked at (stat). */
  readonly socket: number;
  /** FIONBIO. */
  nonBlocking: boolean;
  /** FIOSETOWN: by default who opened it. */
  owner: number;
  /** FIOASYNC, and the wait for the next packet that is under way. */
  async: boolean;
  watch: PendingCall | undefined;
}

/** A poll of one socket. */
function pollCall(socket: number, events: number, timeout: number): Parameters<typeof callStack>[1] {
  const data = Buffer.alloc(8);
  data.writeUInt32LE(socket, 0);
  data.writeUInt32LE(events, 4);
  return { op: OP.poll, data, timeout };
}

/** What a signal by its number is called, if it is one that programs can get here: the others, such as SIGIO, are ignored by default. */
function signalNamed(number: number): SignalName | undefined {
  return (Object.keys(SIGNALS) as SignalName[]).find((name) => SIGNALS[name] === number);
}

function ioOf(node: LabNode, stack: number): IoFunctions<Ocb> {
  /** Sends the owner the signal once there is something to read; each read begins the next wait. */
  async function watch(ocb: Ocb): Promise<void> {
    if (!ocb.async || ocb.watch !== undefined) return;
    const watching = callStack(stack, pollCall(ocb.socket, POLLIN, -1));
    ocb.watch = watching;
    const reply = await watching.reply;
    takeData(reply);
    ocb.watch = undefined;
    if (reply.status !== 0 || !ocb.async) return;
    const { value } = await control(stack, 'BPF_IOCTL', { handle: ocb.socket, command: 'BIOCGRSIG' });
    const signal = signalNamed(Number(value));
    if (signal !== undefined) node.processes.get(ocb.owner)?.kill(signal);
  }

  function setAsync(ocb: Ocb, on: boolean): void {
    ocb.async = on;
    if (on) void watch(ocb);
    else ocb.watch?.cancel();
  }

  return {
    async read(context, ocb, bytes) {
      const message = {
        op: OP.recv,
        socket: ocb.socket,
        a: bytes,
        flags: ocb.nonBlocking ? MSG_DONTWAIT : 0,
      };
      const data = takeData(await callForClient(stack, 'read', message, context.signal));
      void watch(ocb);
      return data;
    },
    async write(_context, ocb, data) {
      if (data.length > 0)
        await callForClient(stack, 'write', { op: OP.send, socket: ocb.socket, data, lead: LEAD });
      return data.length;
    },
    async devctl(_context, ocb, command, value) {
      switch (command) {
        case 'FIONBIO':
          ocb.nonBlocking = value === true;
          return undefined;
        case 'FIOASYNC':
          setAsync(ocb, value === true);
          return undefined;
        case 'FIOSETOWN':
          if (typeof value !== 'number') throw new SystemError(ERRNO.EINVAL, command);
          ocb.owner = value;
          return undefined;
        default:
          break;
      }
      // What is no ioctl of bpf the stack refuses.
      const known = command as BpfStackCommand;
      const answer = await control(stack, 'BPF_IOCTL', { handle: ocb.socket, command: known, value });
      return answer.value;
    },
    async poll(context, ocb, events, timeout) {
      const message = pollCall(ocb.socket, events, timeout);
      const answer = takeData(await callForClient(stack, 'poll', message, context.signal));
      return answer.readUInt32LE(4);
    },
    stat: () => ({ kind: 'device', size: 0, mtime: 0, mode: 0o600 }),
    close(ocb) {
      if (ocb.socket === 0) return;
      setAsync(ocb, false);
      void callStack(stack, { op: OP.close, socket: ocb.socket }).reply;
    },
  };
}

/** Attaches the paths of a stack's BPF devices. */
export function bpfPaths(manager: ResourceManager, node: LabNode, { address, prefix }: StackPort): void {
  const open = async (context: RequestContext, path: string, flags: number): Promise<Ocb> => {
    if (path !== '') throw new SystemError(ERRNO.ENOTDIR, path);
    const { pid } = context.client;
    const ocb = {
      nonBlocking: (flags & O_NONBLOCK) !== 0,
      owner: pid,
      async: false,
      watch: undefined,
    };
    if ((flags & O_RDWR) === 0) return { socket: 0, ...ocb };
    const message = { op: OP.socket, a: AF_BPF, b: SOCK_RAW, c: pid };
    const socket = (await callForClient(address, 'bpf', message)).value;
    if (!context.signal.aborted) return { socket, ...ocb };
    // Whoever wanted it has gone meanwhile.
    await callForClient(address, 'bpf', { op: OP.close, socket });
    throw new SystemError(ERRNO.EINTR, 'bpf');
  };
  for (const name of NAMES) manager.attach<Ocb>(`${prefix}/dev/${name}`, { open }, ioOf(node, address));
}
