/**
 * gif(4): IPv4 in IPv4 tunnels (RFC 2003, in the manner of RFC 2893 §3), protocol 4. MTU 1280, time to live net.inet.ip.gifttl.
 */
import { IFF } from '../runtime/messages/control.ts';
import { DRIVER, IFT_GIF } from '../net/ifnet.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { IP_HEADER, IP_MAXPACKET } from './ip.ts';
import { installTunnel } from './ip-tunnel.ts';

const IPPROTO_IPV4 = 4;

/** Makes gif interfaces part of the stack in this thread. */
export function installGif(): void {
  installTunnel({
    name: 'gif',
    description: 'IPv4 in IPv4 tunnel',
    driver: DRIVER.gif,
    type: IFT_GIF,
    flags: IFF.POINTOPOINT | IFF.MULTICAST,
    protocol: IPPROTO_IPV4,
    mtu: 1280,
    mtuMax: IP_MAXPACKET - IP_HEADER,
    ttl: SYSCTL.ipGifTtl,
    headerBytes: 0,
    writeHeader: () => undefined,
    readHeader: () => 0,
  });
}
