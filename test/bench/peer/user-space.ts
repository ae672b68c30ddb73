/**
 * Peers of transfers that are libraries as our stack is: lwIP in C, and gVisor's netstack in Go, two stacks in one process each (lwip.c, gvisor/main.go).
 */
import { buildC, buildGo, C_COMPILER, figureOf } from './build.ts';
import type { Peer } from './peer.ts';
import { missingTools } from './tools.ts';
import type { Need } from './tools.ts';
import type { TransferPeer } from './transfer-peer.ts';

export const LWIP_NEEDS: readonly Need[] = [
  ...C_COMPILER,
  { what: '/usr/include/lwip/lwip/tcp.h', debianPackage: 'liblwip-dev' },
];
export const GVISOR_NEEDS: readonly Need[] = [
  { what: 'go', debianPackage: 'golang-go' },
  { what: '/usr/share/gocode/src/gvisor.dev/gvisor/pkg/tcpip', debianPackage: 'golang-gvisor-gvisor-dev' },
];

function transfers(program: string): TransferPeer {
  const timing = (seconds: number, warmUp: number): string[] => [String(seconds), String(warmUp)];
  return {
    stream: (seconds, warmUp) => figureOf(program, ['tcp', ...timing(seconds, warmUp)]),
    datagrams: (bytes, seconds, warmUp) =>
      figureOf(program, ['udp', String(bytes), ...timing(seconds, warmUp)]),
  };
}

export const lwipPeer: Peer<TransferPeer> = {
  missing: () => missingTools(LWIP_NEEDS),
  open: async () => transfers(await buildC('lwip', ['-I/usr/include/lwip'])),
};

export const gvisorPeer: Peer<TransferPeer> = {
  missing: () => missingTools(GVISOR_NEEDS),
  open: async () => transfers(await buildGo('gvisor')),
};
