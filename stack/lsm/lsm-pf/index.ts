/**
 * lsm-pf-v4.so: PF, the packet filter of OpenBSD, for stacks that have IPv4 (io-pkt, "PF"; pf(4)). Mounting makes /dev/pf and the interface pflog0; nothing is filtered until
 * `pfctl -e`.
 */
import { makePfModule } from './module.ts';

export default makePfModule('pf-v4', ['io-pkt-v4', 'io-pkt-v4-hc']);
