/** Numbers of the IP protocols that rules treat apart (IANA, protocol numbers). */
export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const ICMPV6 = 58;
