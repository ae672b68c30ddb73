/**
 * What all peers together need of this machine.
 */
import { FORWARDING_NEEDS } from './linux-forwarding.ts';
import { LIBPCAP_NEEDS } from './libpcap.ts';
import { NAMESPACE_NEEDS } from './namespace.ts';
import type { Need } from './tools.ts';
import { GVISOR_NEEDS, LWIP_NEEDS } from './user-space.ts';
import { VETH_NEEDS } from './veth.ts';

export const PEER_NEEDS: readonly Need[] = [
  ...NAMESPACE_NEEDS,
  ...VETH_NEEDS,
  ...FORWARDING_NEEDS,
  ...LWIP_NEEDS,
  ...GVISOR_NEEDS,
  ...LIBPCAP_NEEDS,
];
