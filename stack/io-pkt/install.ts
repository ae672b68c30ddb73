/**
 * Makes the whole stack known to a thread: handlers, protocols, control calls. Every thread that serves nodes calls it once.
 */
import '../net/loopback.ts';
import { installAgr } from '../net/agr.ts';
import { installAltq } from '../net/altq/altq.ts';
import { installBpf } from '../net/bpf/device.ts';
import { installBridge } from '../net/bridge.ts';
import { installNetisr } from '../net/netisr.ts';
import { installSockets } from '../net/socket-requests.ts';
import { installVlan } from '../net/vlan.ts';
import { installArp } from '../netinet/arp.ts';
import { installGif } from '../netinet/gif.ts';
import { installGre } from '../netinet/gre.ts';
import { installIcmp } from '../netinet/icmp.ts';
import { installFlows } from '../netinet/ip-flow.ts';
import { installForwarding } from '../netinet/ip-forward.ts';
import { installIp } from '../netinet/ip-input.ts';
import { installReassembly } from '../netinet/ip-reassembly.ts';
import { installModules } from '../netinet/module-protocol.ts';
import { installRaw } from '../netinet/raw.ts';
import { installTcp } from '../netinet/tcp.ts';
import { installTun } from '../netinet/tun.ts';
import { installUdp } from '../netinet/udp.ts';
import { installControl } from './control.ts';
import { installThreads } from './threads.ts';

export function installStack(): void {
  installNetisr();
  installBridge();
  installBpf();
  installSockets();
  installControl();
  installThreads();
  installAgr();
  installAltq();
  installVlan();
  installArp();
  installIp();
  installForwarding();
  installFlows();
  installReassembly();
  installIcmp();
  installUdp();
  installTcp();
  installRaw();
  installTun();
  installGif();
  installGre();
  installModules();
}
