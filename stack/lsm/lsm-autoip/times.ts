/**
 * The constants of RFC 3927 §9, ns. The option `delay` of lsm-autoip stands for PROBE_MAX: PROBE_WAIT and PROBE_MIN are half of it, so that its default of 2000 ms gives
 * those of the RFC.
 */
import { SECOND } from '../../runtime/clock.ts';

export const PROBE_NUM = 3;
export const ANNOUNCE_NUM = 2;
export const ANNOUNCE_INTERVAL: number = 2 * SECOND;
export const MAX_CONFLICTS = 10;
export const RATE_LIMIT_INTERVAL: number = 60 * SECOND;
export const DEFEND_INTERVAL: number = 10 * SECOND;
/** How often an interface without a carrier, or one that waits for the end of a routable address, is looked at again. */
export const LOOK_INTERVAL: number = SECOND;
