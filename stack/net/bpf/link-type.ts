/**
 * Link types of interfaces by number (DLT_*, bpf(4)): what the packets that are seen there begin with.
 */

/** An address family in host order, 4 bytes. */
export const DLT_NULL = 0;
export const DLT_EN10MB = 1;
/** The direction, then the first 15 bytes as they cross the line. */
export const DLT_SLIP = 8;
/** The packet filter's log. */
export const DLT_PFLOG = 117;
