/**
 * The message a client sends to io-pkt and its reply: one record in the one memory, bulk data as an mbuf chain that changes hands with it.
 * It carries what MsgSend() carries on Neutrino: who sends, at which priority, the operation and its arguments; the reply is the status and a value.
 */
import { slab } from '../../memory/slab.ts';
import { struct } from '../../memory/struct.ts';
import type { ViewOf } from '../../memory/struct.ts';

export const requestStruct = struct('request', {
  /** Link of the list of requests that a socket keeps while they block. */
  parked: 'ptr',
  nextpkt: 'ptr',
  op: 'u16',
  priority: 'u16',
  /** Number of the client's call; 0 when nobody waits. */
  client: 'u32',
  stack: 'ptr',
  /** Socket the operation is for, 0 for none. */
  socket: 'ptr',
  /** Arguments: see OP. */
  a: 'i32',
  b: 'i32',
  c: 'i32',
  flags: 'u32',
  /** Data on the way in and on the way back. */
  chain: 'ptr',
  chainLen: 'u32',
  /** 0, or an errno. */
  status: 'i32',
  /** What the call returns. */
  value: 'i32',
  value2: 'i32',
  /** Where it is parked: WAIT_*. */
  waiting: 'u32',
  /** ns, 0 for no time-out: SO_RCVTIMEO, SO_SNDTIMEO, the time-out of poll. */
  timeout: 'f64',
  timer: { bytes: 32 },
});
export type Request = ViewOf<typeof requestStruct>;
export const requests = slab(requestStruct, 16_384);

/** Operations. Addresses are IPv4 numbers (10.0.0.1 is 0x0a000001), ports in host order. */
export const OP = {
  /** a: domain, b: type, c: protocol → value: socket. */
  socket: 1,
  /** a: address, b: port. */
  bind: 2,
  /** a: backlog. */
  listen: 3,
  /** → value: new socket, value2: port, c: address. */
  accept: 4,
  /** a: address, b: port. */
  connect: 5,
  /** chain: data; a: address and b: port with MSG_TO; flags: MSG_* → value: bytes taken. */
  send: 6,
  /** a: most bytes; flags: MSG_* → chain: data, value: bytes, c: source address, value2: source port. */
  recv: 7,
  /** a: SHUT_*. */
  shutdown: 8,
  close: 9,
  /** a: level, b: option, c: value. */
  setsockopt: 10,
  /** a: level, b: option → value. */
  getsockopt: 11,
  /** → c: address, value: port. */
  getsockname: 12,
  getpeername: 13,
  /** chain: 8-byte entries (socket, events) → the same with revents; value: how many are ready; timeout: ns, negative for none. */
  poll: 14,
  /** chain: JSON of a control call (control.ts) → chain: JSON of its answer. */
  control: 15,
  /** a: request to be given up (the unblock pulse of a client that was interrupted), b: number of the client's call, as i32. */
  unblock: 16,
  /** Datagram sockets. chain: packets linked by nextpkt; a: address and b: port with MSG_TO → value: how many were taken. */
  sendmmsg: 17,
  /** Datagram sockets. a: most bytes of each; b: most datagrams → chain: packets linked by nextpkt, their sources in aux and aux2; value: how many. */
  recvmmsg: 18,
} as const;

export const MSG_PEEK = 0x2;
export const MSG_WAITALL = 0x40;
export const MSG_DONTWAIT = 0x80;
/** The request names a destination (sendto). */
export const MSG_TO = 0x10000;

export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

export const AF_INET = 2;
/** The device of a tun or tap interface: SOCK_RAW, the interface's index in place of the protocol. */
export const AF_LINK = 18;
/** An open /dev/bpf: SOCK_RAW, the process that opens it in place of the protocol. */
export const AF_BPF = 253;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const IPPROTO_IP = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_RAW = 255;
/** Entry of the protocol switch for sockets of AF_LINK: no number of an IP protocol that a socket may have. */
export const PROTOCOL_DEVICE = 254;
/** The same for sockets of AF_BPF. */
export const PROTOCOL_BPF = 253;

export const SOL_SOCKET = 0xffff;
export const SO_DEBUG = 0x0001;
export const SO_ACCEPTCONN = 0x0002;
export const SO_REUSEADDR = 0x0004;
export const SO_KEEPALIVE = 0x0008;
export const SO_DONTROUTE = 0x0010;
export const SO_BROADCAST = 0x0020;
export const SO_LINGER = 0x0080;
export const SO_OOBINLINE = 0x0100;
export const SO_REUSEPORT = 0x0200;
export const SO_SNDBUF = 0x1001;
export const SO_RCVBUF = 0x1002;
export const SO_SNDLOWAT = 0x1003;
export const SO_RCVLOWAT = 0x1004;
/** ms in this API. */
export const SO_SNDTIMEO = 0x1005;
export const SO_RCVTIMEO = 0x1006;
export const SO_ERROR = 0x1007;
export const SO_TYPE = 0x1008;

export const TCP_NODELAY = 1;
export const TCP_MAXSEG = 2;
/** Seconds. */
export const TCP_KEEPIDLE = 3;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const IP_HDRINCL = 2;
export const IP_TOS = 3;
export const IP_TTL = 4;

export const POLLIN = 0x0001;
export const POLLOUT = 0x0002;
export const POLLERR = 0x0020;
export const POLLHUP = 0x0040;
export const POLLNVAL = 0x1000;
