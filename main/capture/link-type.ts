/**
 * Link types of capture files: the LINKTYPE numbers of the tcpdump.org registry with the DLT names that tcpdump
 * and BPF programs use, and the frame check sequence bits that classic pcap keeps in the same 32-bit field
 * (draft-ietf-opsawg-pcap §4).
 */

export const LINKTYPE_NULL = 0;
export const LINKTYPE_ETHERNET = 1;
export const LINKTYPE_RAW = 101;
export const LINKTYPE_LOOP = 108;
export const LINKTYPE_LINUX_SLL = 113;
export const LINKTYPE_PFLOG = 117;
export const LINKTYPE_IPV4 = 228;
export const LINKTYPE_IPV6 = 229;
export const LINKTYPE_DBUS = 231;
export const LINKTYPE_LINUX_SLL2 = 276;

const names: ReadonlyMap<number, string> = new Map([
  [LINKTYPE_NULL, 'NULL'],
  [LINKTYPE_ETHERNET, 'EN10MB'],
  [3, 'AX25'],
  [6, 'IEEE802'],
  [7, 'ARCNET'],
  [8, 'SLIP'],
  [9, 'PPP'],
  [10, 'FDDI'],
  [12, 'RAW'],
  [14, 'RAW'],
  [50, 'PPP_SERIAL'],
  [51, 'PPP_ETHER'],
  [99, 'SYMANTEC_FIREWALL'],
  [100, 'ATM_RFC1483'],
  [LINKTYPE_RAW, 'RAW'],
  [104, 'C_HDLC'],
  [105, 'IEEE802_11'],
  [107, 'FRELAY'],
  [LINKTYPE_LOOP, 'LOOP'],
  [109, 'ENC'],
  [LINKTYPE_LINUX_SLL, 'LINUX_SLL'],
  [114, 'LTALK'],
  [117, 'PFLOG'],
  [119, 'PRISM_HEADER'],
  [122, 'IP_OVER_FC'],
  [123, 'SUNATM'],
  [127, 'IEEE802_11_RADIO'],
  [129, 'ARCNET_LINUX'],
  [138, 'APPLE_IP_OVER_IEEE1394'],
  [139, 'MTP2_WITH_PHDR'],
  [140, 'MTP2'],
  [141, 'MTP3'],
  [143, 'DOCSIS'],
  [144, 'LINUX_IRDA'],
  [163, 'IEEE802_11_RADIO_AVS'],
  [165, 'BACNET_MS_TP'],
  [166, 'PPP_PPPD'],
  [187, 'BLUETOOTH_HCI_H4'],
  [189, 'USB_LINUX'],
  [192, 'PPI'],
  [195, 'IEEE802_15_4_WITHFCS'],
  [201, 'BLUETOOTH_HCI_H4_WITH_PHDR'],
  [220, 'USB_LINUX_MMAPPED'],
  [224, 'FC_2'],
  [LINKTYPE_IPV4, 'IPV4'],
  [LINKTYPE_IPV6, 'IPV6'],
  [230, 'IEEE802_15_4_NOFCS'],
  [LINKTYPE_DBUS, 'DBUS'],
  [239, 'NFLOG'],
  [240, 'NETANALYZER'],
  [247, 'INFINIBAND'],
  [249, 'USBPCAP'],
  [251, 'BLUETOOTH_LE_LL'],
  [253, 'NETLINK'],
  [258, 'PKTAP'],
  [271, 'VSOCK'],
  [272, 'NORDIC_BLE'],
  [LINKTYPE_LINUX_SLL2, 'LINUX_SLL2'],
]);

/** @returns the DLT name of a LINKTYPE number, or `LINKTYPE_n` for one without a name here. */
export function linkTypeName(linkType: number): string {
  if (linkType >= 147 && linkType <= 162) return `USER${linkType - 147}`;
  return names.get(linkType) ?? `LINKTYPE_${linkType}`;
}

/** Largest captured length that is believed, in bytes; the same limits as libpcap's, so that the same files open. */
export function maximumCapturedLength(linkType: number): number {
  const usbPcap = 249;
  return linkType === LINKTYPE_DBUS || linkType === usbPcap ? 128 * 1024 * 1024 : 256 * 1024;
}

const FCS_PRESENT = 0x0400_0000;

/** Splits the link type field of a classic pcap header into the type and the FCS length in bytes. */
export function decodeLinkField(field: number): { linkType: number; fcsLength?: number } {
  const linkType = field & 0xffff;
  return (field & FCS_PRESENT) === 0 ? { linkType } : { linkType, fcsLength: (field >>> 28) * 2 };
}

/** The inverse of {@link decodeLinkField}. */
export function encodeLinkField(linkType: number, fcsLength: number | undefined): number {
  if (fcsLength === undefined) return linkType;
  return (((fcsLength / 2) << 28) | FCS_PRESENT | linkType) >>> 0;
}
