/**
 * Control calls that show what a stack does: netstat(1) -s, -m and -a, sysctl(8), the threads.
 */
import { mbufReports } from '../memory/mbuf.ts';
import { slabReports } from '../memory/slab.ts';
import { contextHolder } from '../runtime/context.ts';
import type { SocketInfo } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { roleOf } from '../runtime/role.ts';
import { runQueue } from '../runtime/run-queue.ts';
import { protocolOf } from '../net/protosw.ts';
import { SO_ACCEPTCONN } from '../runtime/messages/request.ts';
import { SS_ISCONNECTED, sockets } from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { limitInputQueue } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { readStatistics } from '../net/statistics.ts';
import { getSysctl, listSysctl, setSysctl } from '../net/sysctl.ts';
import { flushFlows, foldFlows } from '../netinet/ip-flow.ts';
import { addressText } from '../netinet/ip.ts';
import type { Controls } from './controls.ts';
import { kernVariable, kernVariables, servingThreads } from './kern-sysctl.ts';

/** What netstat shows of a socket; nothing of a device that is open. */
function socketInfo(so: Socket): SocketInfo[] {
  const protocol = protocolOf(so);
  const { name } = protocol;
  if (name === 'device' || name === 'bpf') return [];
  const names = protocol.names(so);
  const state = protocol.state?.(so);
  const info: SocketInfo = {
    protocol: name,
    local: addressText(names.local),
    localPort: names.localPort,
    foreign: addressText(names.foreign),
    foreignPort: names.foreignPort,
    receiveQueue: so.rcvCount,
    sendQueue: so.sndCount,
    ...(state !== undefined && { state }),
  };
  return [info];
}

/** Sockets that serve or are bound without a peer show only with -a. */
function isActive(so: Socket): boolean {
  return (so.options & SO_ACCEPTCONN) === 0 && (so.state & SS_ISCONNECTED) !== 0;
}

function socketList(stack: Stack, all: boolean): SocketInfo[] {
  const list: SocketInfo[] = [];
  for (let ptr = stack.sockets; ptr !== 0; ptr = sockets.get(ptr).next) {
    const so = sockets.get(ptr);
    if (so.pcb !== 0 && (all || isActive(so))) list.push(...socketInfo(so));
  }
  return list.reverse();
}

type StatisticsCalls =
  'SYSCTL_LIST' | 'SYSCTL_GET' | 'SYSCTL_SET' | 'STATISTICS' | 'POOLS' | 'SOCKETS' | 'THREADS';

export const statisticsControls: Pick<Controls, StatisticsCalls> = {
  SYSCTL_LIST: (stack) => [...kernVariables(stack), ...listSysctl(stack.sysctl)],
  SYSCTL_GET(stack, { name }) {
    const variable = getSysctl(stack.sysctl, name) ?? kernVariable(stack, name);
    if (variable === undefined) throw new SystemError(ERRNO.ENOENT, name);
    return variable;
  },
  SYSCTL_SET(stack, { name, value }) {
    if (kernVariable(stack, name) !== undefined)
      throw new SystemError(ERRNO.EPERM, `${name} is what the stack says of itself: it cannot be set`);
    if (getSysctl(stack.sysctl, name) === undefined) throw new SystemError(ERRNO.ENOENT, name);
    // The table of flows is laid out by these: it begins anew.
    if (name.startsWith('net.inet.ip.')) flushFlows(stack);
    const changed = setSysctl(stack.sysctl, name, value);
    if (typeof changed === 'string') throw new SystemError(ERRNO.EINVAL, changed);
    limitInputQueue(stack.ptr);
    return changed;
  },
  STATISTICS(stack, { protocol }) {
    foldFlows(stack);
    return readStatistics(stack.statistics, protocol);
  },
  POOLS: () => [...mbufReports(), ...slabReports()],
  SOCKETS: (stack, { all }) => socketList(stack, all),
  THREADS(stack) {
    const holder = contextHolder(stack.ptr);
    return servingThreads().map((thread) => {
      const { hardware, stack: upper, other, stolen, slept, count: queued } = runQueue(thread);
      const holdsContext = thread === holder;
      const role = roleOf(thread, holdsContext);
      return { thread, role, holdsContext, queued, hardware, stack: upper, other, stolen, slept };
    });
  },
};
