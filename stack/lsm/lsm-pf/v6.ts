/**
 * lsm-pf-v6.so: PF for stacks that have IPv6 as well. The same filter; rules for inet6 are loaded and shown, and match the packets of that family.
 */
import { makePfModule } from './module.ts';

export default makePfModule('pf-v6', ['io-pkt-v6-hc']);
