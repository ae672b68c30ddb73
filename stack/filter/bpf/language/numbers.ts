/** Numbers that filters look for: Ethernet types, LLC service access points, IP protocols, PPP protocols (IANA and IEEE registries; RFC 1661 for PPP). */

export const ETHERTYPE_IP = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_REVARP = 0x8035;
export const ETHERTYPE_NS = 0x0600;
export const ETHERTYPE_MOPDL = 0x6001;
export const ETHERTYPE_MOPRC = 0x6002;
export const ETHERTYPE_DECNET = 0x6003;
export const ETHERTYPE_LAT = 0x6004;
export const ETHERTYPE_SCA = 0x6007;
export const ETHERTYPE_TRANSPARENT_ETHERNET = 0x6558;
export const ETHERTYPE_ATALK = 0x809b;
export const ETHERTYPE_AARP = 0x80f3;
export const ETHERTYPE_8021Q = 0x8100;
export const ETHERTYPE_IPX = 0x8137;
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_SLOW = 0x8809;
export const ETHERTYPE_MPLS = 0x8847;
export const ETHERTYPE_PPPOED = 0x8863;
export const ETHERTYPE_PPPOES = 0x8864;
export const ETHERTYPE_8021AD = 0x88a8;
export const ETHERTYPE_LLDP = 0x88cc;
export const ETHERTYPE_LOOPBACK = 0x9000;
export const ETHERTYPE_8021QINQ = 0x9100;

/** Numbers up to this are lengths of IEEE 802.3 frames, not types. */
export const ETHER_MAX_LENGTH = 1500;

/** Service access points of IEEE 802.2; where an Ethernet type is asked for they are told apart by being small. */
export const LLCSAP_IP = 0x06;
export const LLCSAP_8021D = 0x42;
export const LLCSAP_SNAP = 0xaa;
export const LLCSAP_IPX = 0xe0;
export const LLCSAP_NETBEUI = 0xf0;
export const LLCSAP_ISONS = 0xfe;
/** Unnumbered information, the control field of SNAP. */
export const LLC_UI = 0x03;

export const IPPROTO_ICMP = 1;
export const IPPROTO_IGMP = 2;
export const IPPROTO_TCP = 6;
export const IPPROTO_IGRP = 9;
export const IPPROTO_UDP = 17;
export const IPPROTO_FRAGMENT = 44;
export const IPPROTO_ESP = 50;
export const IPPROTO_AH = 51;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_NONE = 59;
export const IPPROTO_HOPOPTS = 0;
export const IPPROTO_ROUTING = 43;
export const IPPROTO_DSTOPTS = 60;
export const IPPROTO_PIM = 103;
export const IPPROTO_VRRP = 112;
export const IPPROTO_CARP = 112;
export const IPPROTO_SCTP = 132;

/** Network protocols of ISO, the first byte of their headers (ISO/IEC TR 9577), and PDU types of IS-IS (ISO 10589). */
export const ISO_CLNP = 0x81;
export const ISO_ESIS = 0x82;
export const ISO_ISIS = 0x83;
export const ISIS_L1_LAN_IIH = 15;
export const ISIS_L2_LAN_IIH = 16;
export const ISIS_PTP_IIH = 17;
export const ISIS_L1_LSP = 18;
export const ISIS_L2_LSP = 20;
export const ISIS_L1_CSNP = 24;
export const ISIS_L2_CSNP = 25;
export const ISIS_L1_PSNP = 26;
export const ISIS_L2_PSNP = 27;

export const PPP_IP = 0x0021;
export const PPP_OSI = 0x0023;
export const PPP_NS = 0x0025;
export const PPP_DECNET = 0x0027;
export const PPP_APPLE = 0x0029;
export const PPP_IPX = 0x002b;
export const PPP_BRIDGE = 0x0031;
export const PPP_IPV6 = 0x0057;
export const PPP_MPLS = 0x0281;

/** Address families in the headers of loopback and pflog. That of IPv6 differs among systems; libpcap takes that of the system it is built for, here Linux. */
export const AF_INET = 2;
export const AF_INET6 = 10;
