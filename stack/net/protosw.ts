/**
 * The protocol switch: what the socket layer asks of a transport protocol (struct protosw, pr_usrreqs). Every function runs in the stack context and
 * returns 0 or an errno unless it says otherwise. Addresses and ports in host order.
 */
import type { Request } from '../runtime/messages/request.ts';
import type { Socket } from './socket.ts';

export interface Protocol {
  readonly name: 'tcp' | 'udp' | 'icmp' | 'raw' | 'device' | 'bpf';
  /** Gives a new socket its control block and buffer sizes; `protocol` is the number on the wire. */
  attach(so: Socket, protocol: number): number;
  /** The client closed its last reference: ends the connection as the protocol does; frees control block and socket (soFree) now or later. */
  detach(so: Socket): void;
  bind(so: Socket, address: number, port: number): number;
  listen(so: Socket): number;
  /** Starts to connect; EINPROGRESS is not returned: look at SS_ISCONNECTING. */
  connect(so: Socket, address: number, port: number): number;
  /** Ends sending (SHUT_WR); the socket layer has set SS_CANTSENDMORE. */
  shutdown(so: Socket): number;
  /** The client has read: the window may have opened. */
  received(so: Socket): void;
  /** In place of the receive buffer: answers a read, or returns false if it has to wait. */
  receive?(so: Socket, request: Request): boolean;
  /** With that: answers a read whose time-out has ended. */
  expire?(so: Socket, request: Request): void;
  /** With that: true if a read would not wait. */
  readable?(so: Socket): boolean;
  /** Streams: data was appended to the send buffer. */
  send?(so: Socket): number;
  /** Datagrams: sends packet `m` (owned by the protocol from now on) to an address, or to the connected peer when `to` is false. */
  sendTo?(so: Socket, m: number, to: boolean, address: number, port: number): number;
  /** Drops a connection with a reset: a listening socket closes with connections that were not accepted. */
  abort(so: Socket): void;
  setOption(so: Socket, level: number, option: number, value: number): number;
  /** The value of an option, undefined for ENOPROTOOPT. */
  getOption(so: Socket, level: number, option: number): number | undefined;
  /** Own address and port, and the peer's; zeros where there is none. */
  names(so: Socket): { local: number; localPort: number; foreign: number; foreignPort: number };
  /** State of a connection as netstat prints it. */
  state?(so: Socket): string;
}

const byNumber: (Protocol | undefined)[] = [];

/** Makes the protocol with this number (IPPROTO_*; 0 to 255) available to sockets. */
export function registerProtocol(id: number, protocol: Protocol): void {
  while (byNumber.length <= id) byNumber.push(undefined);
  byNumber[id] = protocol;
}

/** The protocol that serves a socket. */
export function protocolOf(so: Socket): Protocol {
  return byNumber[so.protocol]!;
}

export function hasProtocol(id: number): boolean {
  return byNumber[id] !== undefined;
}
