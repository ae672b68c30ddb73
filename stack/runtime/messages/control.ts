/**
 * Control calls to io-pkt: what BSD does with ioctl(2), the routing socket and sysctl(3), as typed records that travel as JSON in a message.
 * Addresses are dotted quads, MAC addresses colon-separated hexadecimal. A call that fails answers with an errno and a text.
 */

import type { SlabReport } from '../../memory/slab.ts';
import type { BpfStackCommand } from './bpf.ts';
import type { ThreadRole } from '../role.ts';

/** Interface flags (if.h). */
export const IFF = {
  UP: 0x1,
  BROADCAST: 0x2,
  DEBUG: 0x4,
  LOOPBACK: 0x8,
  POINTOPOINT: 0x10,
  RUNNING: 0x40,
  NOARP: 0x80,
  PROMISC: 0x100,
  ALLMULTI: 0x200,
  OACTIVE: 0x400,
  SIMPLEX: 0x800,
  LINK0: 0x1000,
  LINK1: 0x2000,
  LINK2: 0x4000,
  MULTICAST: 0x8000,
  /** It has queues (altq). */
  ALTQ: 0x10000,
} as const;

export interface InterfaceAddress {
  readonly address: string;
  readonly netmask: string;
  readonly broadcast?: string;
  /** The other end of a point-to-point interface. */
  readonly destination?: string;
}

export interface InterfaceInfo {
  readonly name: string;
  readonly index: number;
  readonly flags: number;
  readonly mtu: number;
  readonly metric: number;
  readonly mac?: string;
  /** 'Ethernet autoselect (1000baseT full-duplex)'; absent on interfaces without media. */
  readonly media?: string;
  readonly carrier?: boolean;
  /** Checksum offload: able to, and switched on. */
  readonly capabilities: readonly string[];
  readonly enabled: readonly string[];
  readonly addresses: readonly InterfaceAddress[];
  readonly counters: InterfaceCounters;
  /** Lines that only its kind has, such as `vlan: 7 parent: en0`. */
  readonly details: readonly string[];
}

export interface InterfaceCounters {
  readonly ipackets: number;
  readonly ierrors: number;
  readonly ibytes: number;
  readonly imcasts: number;
  readonly iqdrops: number;
  readonly opackets: number;
  readonly oerrors: number;
  readonly obytes: number;
  readonly omcasts: number;
  readonly odrops: number;
  readonly collisions: number;
}

export interface RouteInfo {
  readonly destination: string;
  readonly netmask: string;
  readonly gateway?: string;
  readonly interface: string;
  /** Letters as netstat -r prints them: U up, G gateway, H host, S static, C cloning, L link-level, R reject, B blackhole. */
  readonly flags: string;
  readonly refs: number;
  readonly use: number;
  readonly mtu: number;
}

export interface ArpInfo {
  readonly address: string;
  readonly mac?: string;
  readonly interface: string;
  readonly state: 'incomplete' | 'reachable' | 'permanent' | 'published';
  /** Seconds until it expires; absent when it does not. */
  readonly expires?: number;
}

export interface SocketInfo {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'raw';
  readonly local: string;
  readonly localPort: number;
  readonly foreign: string;
  readonly foreignPort: number;
  readonly receiveQueue: number;
  readonly sendQueue: number;
  readonly state?: string;
}

export interface SysctlInfo {
  readonly name: string;
  readonly value: number | string;
  readonly description: string;
  readonly writable: boolean;
}

/** A thread of the pool, as a stack sees it. Whoever answers holds the context: the thread that is asked is the holder. */
export interface ThreadInfo {
  readonly thread: number;
  readonly role: ThreadRole;
  readonly holdsContext: boolean;
  /** Sources that wait in its run queue. */
  readonly queued: number;
  /** Sources it has serviced, by kind, taken from others, and how often it has slept. */
  readonly hardware: number;
  readonly stack: number;
  readonly other: number;
  readonly stolen: number;
  readonly slept: number;
}

/** A member of a bridge. The state is that of the spanning tree; members that take no part in it forward. */
export interface BridgeMemberInfo {
  readonly name: string;
  readonly learning: boolean;
  readonly discover: boolean;
  readonly stp: boolean;
  /** Port number. */
  readonly port: number;
  readonly priority: number;
  readonly pathCost: number;
  readonly state: 'disabled' | 'listening' | 'learning' | 'forwarding' | 'blocking';
  /** What it is in the spanning tree: absent when it takes no part or is disabled. */
  readonly role?: 'root' | 'designated' | 'alternate' | 'backup';
}

export interface BridgeAddressInfo {
  readonly mac: string;
  readonly interface: string;
  /** Seconds until it is forgotten; 0 if never. */
  readonly expires: number;
  readonly static: boolean;
}

/** The spanning tree as a bridge sees it. Identifiers are priority.address, `8000.02:00:00:00:00:01`; times in use, s. */
export interface SpanningTreeInfo {
  readonly id: string;
  readonly root: string;
  readonly rootCost: number;
  /** Member towards the root; absent on the root itself. */
  readonly rootPort?: string;
  readonly helloTime: number;
  readonly forwardDelay: number;
  readonly maxAge: number;
  /** True while the topology changes: addresses age fast. */
  readonly topologyChange: boolean;
  /** Changes since the bridge came up. */
  readonly topologyChanges: number;
}

/** A bridge as brconfig(8) shows it. Times as set, s. */
export interface BridgeInfo {
  readonly name: string;
  readonly flags: number;
  readonly priority: number;
  readonly helloTime: number;
  readonly forwardDelay: number;
  readonly maxAge: number;
  readonly maxAddresses: number;
  readonly timeout: number;
  /** True if the filters of the stack see the IPv4 packets that are bridged. */
  readonly filters: boolean;
  readonly members: readonly BridgeMemberInfo[];
  readonly addresses: readonly BridgeAddressInfo[];
  /** Absent while no member takes part in the spanning tree. */
  readonly tree?: SpanningTreeInfo;
}

/** An open /dev/bpf. */
export interface BpfInfo {
  readonly pid: number;
  /** Absent until it has one. */
  readonly interface?: string;
  readonly promiscuous: boolean;
  readonly immediate: boolean;
  readonly headerComplete: boolean;
  readonly seesSent: boolean;
  /** Packets: seen, without room, taken by the filter. */
  readonly received: number;
  readonly dropped: number;
  readonly captured: number;
  /** Bytes: of a buffer, in the one that is filled, in the one that is held. */
  readonly bufferSize: number;
  readonly stored: number;
  readonly held: number;
  /** Length of the filter, 0 for none, and what runs it. */
  readonly instructions: number;
  readonly engine?: 'wasm' | 'closures' | 'interpreter';
}

export type PoolInfo = SlabReport;

export interface ControlMap {
  /** All interfaces, or one (ENXIO if there is none of that name). */
  SIOCGIFCONF: { in: { name?: string }; out: InterfaceInfo[] };
  /** Changes what is given. `flags` are set and cleared one by one: { UP: true }. `capabilities`: { ip4csum: false }. */
  SIOCSIFFLAGS: {
    in: {
      name: string;
      set?: Partial<Record<keyof typeof IFF, boolean>>;
      mtu?: number;
      metric?: number;
      mac?: string;
      capabilities?: Record<string, boolean>;
    };
    out: Record<string, never>;
  };
  /** Adds an address (`alias`: beside the others; otherwise it replaces the first). Also brings the interface up, as BSD does. */
  SIOCAIFADDR: {
    in: {
      name: string;
      address: string;
      netmask?: string;
      broadcast?: string;
      destination?: string;
      alias: boolean;
    };
    out: Record<string, never>;
  };
  /** Removes an address; without `address` the first one. */
  SIOCDIFADDR: { in: { name: string; address?: string }; out: Record<string, never> };
  /** Creates a pseudo-interface: lo1, bridge0 ... */
  SIOCIFCREATE: { in: { name: string }; out: Record<string, never> };
  /** Words that only a kind of pseudo-interface knows: { vlan: '7', vlanif: 'en0' }. */
  SIOCSIFPSEUDO: { in: { name: string; settings: Record<string, string> }; out: Record<string, never> };
  /** Kinds of pseudo-interfaces that can be created: `ifconfig -C`. */
  SIOCIFGCLONERS: { in: Record<string, never>; out: string[] };
  /** `legacy`: asked for by the path that interfaces with a legacy driver have, without which they are not destroyed. */
  SIOCIFDESTROY: { in: { name: string; legacy?: boolean }; out: Record<string, never> };
  /** nicinfo: configuration and counters as the driver keeps them. */
  SIOCGDRVCOM: {
    in: { name: string; reset?: boolean };
    out: {
      driver: string;
      description: string;
      config: Record<string, string | number>;
      stats: Record<string, number>;
    };
  };
  RTM_ADD: {
    in: {
      destination: string;
      netmask: string;
      gateway?: string;
      interface?: string;
      reject?: boolean;
      blackhole?: boolean;
    };
    out: Record<string, never>;
  };
  RTM_DELETE: { in: { destination: string; netmask: string }; out: Record<string, never> };
  RTM_GET: { in: { destination: string }; out: RouteInfo };
  RTM_LIST: { in: Record<string, never>; out: RouteInfo[] };
  RTM_FLUSH: { in: Record<string, never>; out: { removed: number } };
  ARP_LIST: { in: Record<string, never>; out: ArpInfo[] };
  ARP_SET: {
    in: { address: string; mac: string; permanent: boolean; publish: boolean };
    out: Record<string, never>;
  };
  ARP_DELETE: { in: { address?: string }; out: { removed: number } };
  SYSCTL_LIST: { in: Record<string, never>; out: SysctlInfo[] };
  SYSCTL_GET: { in: { name: string }; out: SysctlInfo };
  SYSCTL_SET: { in: { name: string; value: string }; out: { old: number | string; value: number | string } };
  /** Counters of ip, icmp, udp, tcp, arp: { ip: { 'total packets received': 3 } }. */
  STATISTICS: { in: { protocol?: string }; out: Record<string, Record<string, number>> };
  POOLS: { in: Record<string, never>; out: PoolInfo[] };
  SOCKETS: { in: { all: boolean }; out: SocketInfo[] };
  /** Names of the bridges of the stack. */
  BRIDGE_LIST: { in: Record<string, never>; out: string[] };
  BRIDGE_GET: { in: { name: string }; out: BridgeInfo };
  /** Changes what is given; times in s. */
  BRIDGE_SET: {
    in: {
      name: string;
      maxAddresses?: number;
      timeout?: number;
      priority?: number;
      helloTime?: number;
      forwardDelay?: number;
      maxAge?: number;
      /** Whether the filters of the stack see the IPv4 packets that are bridged. */
      filter?: boolean;
    };
    out: Record<string, never>;
  };
  BRIDGE_ADD: { in: { name: string; member: string }; out: Record<string, never> };
  BRIDGE_DELETE: { in: { name: string; member: string }; out: Record<string, never> };
  /** Changes what is given of a member. */
  BRIDGE_MEMBER: {
    in: {
      name: string;
      member: string;
      learning?: boolean;
      discover?: boolean;
      stp?: boolean;
      priority?: number;
      pathCost?: number;
    };
    out: Record<string, never>;
  };
  /** Makes an address permanent. */
  BRIDGE_STATIC: { in: { name: string; member: string; mac: string }; out: Record<string, never> };
  BRIDGE_FORGET: { in: { name: string; mac: string }; out: Record<string, never> };
  /** Forgets all learned addresses; with `all` the permanent ones as well. */
  BRIDGE_FLUSH: { in: { name: string; all: boolean }; out: Record<string, never> };
  /** What is at the path of a protocol module, by its file: { file: 'lsm-hello' }. */
  MODULE_READ: { in: { file: string }; out: { text: string } };
  MODULE_WRITE: { in: { file: string; text: string }; out: Record<string, never> };
  /** An ioctl of an open /dev/bpf, by its handle in the stack. */
  BPF_IOCTL: { in: { handle: number; command: BpfStackCommand; value?: unknown }; out: { value?: unknown } };
  /** Who listens through /dev/bpf, in the order in which they opened it. */
  BPF_LIST: { in: Record<string, never>; out: BpfInfo[] };
  /** A devctl() at the path of a protocol module. */
  MODULE_CONTROL: { in: { file: string; command: string; data?: unknown }; out: { reply: unknown } };
  /** Threads and the stack context of this stack. */
  THREADS: {
    in: Record<string, never>;
    out: ThreadInfo[];
  };
}
export type ControlName = keyof ControlMap;
export type ControlIn<N extends ControlName> = ControlMap[N]['in'];
export type ControlOut<N extends ControlName> = ControlMap[N]['out'];
