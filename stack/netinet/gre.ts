/**
 * gre(4) over IPv4 (RFC 2784), protocol 47. MTU 1476, time to live net.inet.ip.grettl. What is sent has the plain header of 4 bytes; a checksum that comes in is
 * verified. Source routes (RFC 1701), keys and sequence numbers (RFC 2890) mean something that this tunnel does not know: such packets are refused.
 */
import { be16, putBe16 } from '../memory/memory.ts';
import { sumChain } from '../memory/checksum.ts';
import { mbuf } from '../memory/mbuf.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ETHERTYPE_IP } from '../net/ethernet.ts';
import { DRIVER, IFT_TUNNEL } from '../net/ifnet.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { IP_HEADER, IP_MAXPACKET } from './ip.ts';
import { installTunnel } from './ip-tunnel.ts';

const IPPROTO_GRE = 47;
const GRE_HEADER = 4;
/** The header begins with a checksum and 16 reserved bits behind the first 4 bytes. */
const CHECKSUM_PRESENT = 0x8000;
const CHECKSUM_BYTES = 4;

function readHeader(m: number, header: number): number {
  const { data, pktLen } = mbuf(m);
  if (pktLen < header + GRE_HEADER) return -1;
  const p = data + header;
  const flags = be16(p);
  if ((flags & ~CHECKSUM_PRESENT) !== 0 || be16(p + 2) !== ETHERTYPE_IP) return -1;
  if (flags === 0) return GRE_HEADER;
  if (pktLen < header + GRE_HEADER + CHECKSUM_BYTES) return -1;
  return sumChain(m, header, pktLen - header, 0) === 0xffff ? GRE_HEADER + CHECKSUM_BYTES : -1;
}

/** Makes gre interfaces part of the stack in this thread. */
export function installGre(): void {
  installTunnel({
    name: 'gre',
    description: 'GRE tunnel over IPv4',
    driver: DRIVER.gre,
    type: IFT_TUNNEL,
    flags: IFF.POINTOPOINT | IFF.MULTICAST,
    protocol: IPPROTO_GRE,
    mtu: 1476,
    mtuMax: IP_MAXPACKET - IP_HEADER - GRE_HEADER,
    ttl: SYSCTL.ipGreTtl,
    headerBytes: GRE_HEADER,
    writeHeader(p) {
      putBe16(p, 0);
      putBe16(p + 2, ETHERTYPE_IP);
    },
    readHeader,
  });
}
