/**
 * Control calls (ioctl, routing socket, sysctl): the request's data is the JSON of a call, the reply's data that of its answer or, with an errno, a text that says
 * what was wrong. Runs in the stack context.
 */
import { mFree, ownerTag } from '../memory/mbuf.ts';
import { mFromBytes, mToBytes } from '../memory/mbuf-chain.ts';
import type { ControlMap, ControlName } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import type { Request } from '../runtime/messages/request.ts';
import { finish } from '../net/parking.ts';
import { setControlHandler } from '../net/socket-requests.ts';
import { stacks } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import type { Controls } from './controls.ts';
import { bpfControls } from './control-bpf.ts';
import { bridgeControls } from './control-bridge.ts';
import { interfaceControls } from './control-interfaces.ts';
import { moduleControls } from './control-modules.ts';
import { routeControls } from './control-routes.ts';
import { statisticsControls } from './control-statistics.ts';

const controls: Controls = {
  ...interfaceControls,
  ...bridgeControls,
  ...routeControls,
  ...statisticsControls,
  ...moduleControls,
  ...bpfControls,
};
const MESSAGE = ownerTag('message');
const encoder = new TextEncoder();

function answer(request: Request, status: number, text: string): void {
  const bytes = encoder.encode(text);
  const chain = mFromBytes(MESSAGE, bytes, 0);
  request.chain = chain;
  request.chainLen = chain === 0 ? 0 : bytes.length;
  finish(request, chain === 0 ? ERRNO.ENOBUFS : status, 0);
}

function runControl(request: Request): void {
  const bytes = Buffer.alloc(request.chainLen);
  mToBytes(request.chain, bytes, bytes.length);
  mFree(request.chain);
  request.chain = 0;
  try {
    const { name, argument } = JSON.parse(bytes.toString()) as {
      name: ControlName;
      argument: ControlMap[ControlName]['in'];
    };
    const run = controls[name] as ((stack: Stack, argument: unknown) => unknown) | undefined;
    if (run === undefined) answer(request, ERRNO.ENOTTY, `${name}: no such control call`);
    else answer(request, 0, JSON.stringify(run(stacks.get(request.stack), argument)));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    answer(request, error.errno, error.what);
  }
}

/** Makes control calls part of the stack in this thread. */
export function installControl(): void {
  setControlHandler(runControl);
}
