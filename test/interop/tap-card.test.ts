// A stack of the lab with a card on a TAP (devnp-tap), and the Linux kernel at the other end of its cable.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIRST_TAP_THREAD } from '../../drivers/devnp-tap/device.ts';
import { attachTap, joinTap } from '../../drivers/devnp-tap/index.ts';
import { openTapCard } from '../../drivers/devnp-tap/open.ts';
import type { TapCard } from '../../drivers/devnp-tap/open.ts';
import { createInstance, destroyInstance } from '../../stack/io-pkt/instance.ts';
import { installStack } from '../../stack/io-pkt/install.ts';
import { leakReport } from '../../stack/memory/mbuf.ts';
import { driverOf, ifnets, startPending } from '../../stack/net/ifnet.ts';
import type { Ifnet } from '../../stack/net/ifnet.ts';
import { VARIANT, stacks } from '../../stack/net/stack.ts';
import { setAddress } from '../../stack/netinet/in-control.ts';
import { requires } from '../support/requires.ts';
import { enterNetworkNamespace } from './support/network-namespace.ts';
import { run, runServed, startServing } from './support/serving.ts';

const wish = { name: 'sscope0', address: '10.0.9.254/24', mtu: 9000, thread: FIRST_TAP_THREAD, home: 0 };
const missing = requires({ tools: ['ip', 'ping', 'unshare'], root: true, netns: true, tun: true });

describe.skipIf(missing)('devnp-tap', () => {
  let stop: () => void = () => undefined;
  let stack = 0;
  let ifp: Ifnet;
  let card: TapCard;

  beforeAll(async () => {
    enterNetworkNamespace();
    installStack();
    stop = startServing();
    stack = createInstance({ node: 'alpha', instance: 0, variant: VARIANT.v4hc, home: 0 });
    ifp = ifnets.get(attachTap(stacks.get(stack), { name: 'en0', mac: Uint8Array.of(2, 0, 0, 0, 0, 2) }));
    ifp.mtu = 9000;
    const address = { address: 0x0a000902, netmask: 0xffffff00, broadcast: 0x0a0009ff, alias: false };
    expect(setAddress(ifp, address)).toBe(0);
    startPending();
    expect(driverOf(ifp).carrier(ifp)).toBe(false);
    card = await openTapCard(wish);
    joinTap(ifp, card.device);
  });
  afterAll(() => stop());

  it('has a carrier and answers the pings of the kernel', async () => {
    expect(driverOf(ifp).carrier(ifp)).toBe(true);
    const text = await runServed('ping', '-c', '3', '-i', '0.05', '-s', '8972', '-M', 'do', '10.0.9.2');
    expect(text).toContain('3 received, 0% packet loss');
    expect(run('ip', 'neighbour', 'show', '10.0.9.2')).toContain('lladdr 02:00:00:00:00:02');
    expect(driverOf(ifp).statistics(ifp)).toMatchObject({
      txed_ok: ifp.opackets,
      rxed_ok: 4,
      rx_failed_allocs: 0,
      internal_tx_errors: 0,
    });
  });

  it('answers a flood of pings', async () => {
    const text = await runServed('ping', '-q', '-f', '-c', '5000', '-s', '56', '10.0.9.2');
    expect(text).toContain('5000 received, 0% packet loss');
  });

  it('loses its carrier with the interface of the host and keeps working without it', async () => {
    run('ip', 'link', 'delete', wish.name);
    expect(await card.ended).toMatch(/^sscope0 was deleted on the host/);
    await card.close();
    expect(driverOf(ifp).carrier(ifp)).toBe(false);
    expect(driverOf(ifp).configuration(ifp)).toMatchObject({ carrier: 'no' });
  });

  it('goes with its interface', async () => {
    card = await openTapCard(wish);
    joinTap(ifp, card.device);
    expect(await runServed('ping', '-c', '1', '10.0.9.2')).toContain('1 received');
    destroyInstance(stack);
    expect(await card.ended).toBe('sscope0 was closed');
    await card.close();
    expect(card.carrier()).toBe(false);
    expect(leakReport()).toEqual(new Map());
  });
});
