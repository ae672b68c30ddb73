/**
 * The peers of forwarding: the Linux kernel's bridge and its IP forwarding. The generator (frames.c) and the interface where it counts are in one namespace, what forwards
 * between them in another:
 *
 *     near: generator -- g0 === g1 -- middle: bridge or routes -- c1 === c0 -- near: counter
 */
import { buildC, C_COMPILER, figureOf } from './build.ts';
import { cable, inTwoNamespaces, missingForNamespaces } from './namespace.ts';
import type { Namespace } from './namespace.ts';
import type { Peer } from './peer.ts';
import type { Need } from './tools.ts';

export interface ForwardingPeer {
  /** Frames of 60 bytes per second that reached the far end. */
  frames(seconds: number, warmUp: number): Promise<number>;
}

export const FORWARDING_NEEDS: readonly Need[] = C_COMPILER;

const MAC = {
  g0: '02:00:00:00:00:01',
  g1: '02:00:00:00:00:02',
  c1: '02:00:00:00:00:03',
  c0: '02:00:00:00:00:04',
} as const;

function forwardingPeer(
  destination: string,
  setUp: (middle: Namespace) => Promise<void>,
): Peer<ForwardingPeer> {
  return {
    missing: () => missingForNamespaces(FORWARDING_NEEDS),
    async open() {
      const program = await buildC('frames');
      return inTwoNamespaces(async (near, middle) => {
        for (const side of ['g', 'c'] as const) {
          const [outer, inner] = [`${side}0`, `${side}1`] as const;
          await cable(
            { namespace: near, name: outer, mac: MAC[outer] },
            { namespace: middle, name: inner, mac: MAC[inner] },
          );
          await near.ip('link', 'set', outer, 'up');
          await middle.ip('link', 'set', inner, 'up');
        }
        await setUp(middle);
        return {
          frames: (seconds: number, warmUp: number) =>
            figureOf(...near.inside(program, 'g0', 'c0', destination, String(seconds), String(warmUp))),
        };
      });
    },
  };
}

/** Frames to the far end itself, on a bridge that knows where it is. */
export const linuxBridge: Peer<ForwardingPeer> = forwardingPeer(MAC.c0, async (middle) => {
  await middle.ip('link', 'add', 'br0', 'type', 'bridge');
  for (const port of ['g1', 'c1']) await middle.ip('link', 'set', port, 'master', 'br0');
  await middle.ip('link', 'set', 'br0', 'up');
});

/** Frames to the router, for an address whose neighbour it knows. */
export const linuxIpForwarding: Peer<ForwardingPeer> = forwardingPeer(MAC.g1, async (middle) => {
  await middle.ip('address', 'add', '198.18.1.1/24', 'dev', 'g1');
  await middle.ip('address', 'add', '198.18.2.1/24', 'dev', 'c1');
  await middle.ip('neighbour', 'add', '198.18.2.2', 'lladdr', MAC.c0, 'dev', 'c1', 'nud', 'permanent');
  await middle.set('ipv4/ip_forward', 1);
});
