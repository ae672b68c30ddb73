/**
 * setsockopt(2) and getsockopt(2): the options of the socket level; others go to the protocol.
 */
import { ERRNO } from '../runtime/messages/errno.ts';
import {
  SOL_SOCKET,
  SO_ACCEPTCONN,
  SO_BROADCAST,
  SO_DEBUG,
  SO_DONTROUTE,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_OOBINLINE,
  SO_RCVBUF,
  SO_RCVLOWAT,
  SO_RCVTIMEO,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_SNDLOWAT,
  SO_SNDTIMEO,
  SO_TYPE,
} from '../runtime/messages/request.ts';
import { protocolOf } from './protosw.ts';
import { takeError } from './socket-io.ts';
import type { Socket } from './socket.ts';

const SWITCHES = [
  SO_DEBUG,
  SO_REUSEADDR,
  SO_KEEPALIVE,
  SO_DONTROUTE,
  SO_BROADCAST,
  SO_OOBINLINE,
  SO_REUSEPORT,
];
/** Most bytes of a socket buffer (sb_max). */
const LARGEST_BUFFER = 1_048_576;

const NUMBERS: Readonly<
  Record<number, keyof Pick<Socket, 'sndHiwat' | 'rcvHiwat' | 'sndLowat' | 'rcvLowat'>>
> = {
  [SO_SNDBUF]: 'sndHiwat',
  [SO_RCVBUF]: 'rcvHiwat',
  [SO_SNDLOWAT]: 'sndLowat',
  [SO_RCVLOWAT]: 'rcvLowat',
};

/** Sets an option; returns 0 or an errno. SO_LINGER: seconds, negative for off. */
export function setOption(so: Socket, level: number, option: number, value: number): number {
  if (level !== SOL_SOCKET) return protocolOf(so).setOption(so, level, option, value);
  if (SWITCHES.includes(option)) {
    so.options = value !== 0 ? so.options | option : so.options & ~option;
    // A connection that stands already begins to watch now.
    if (option === SO_KEEPALIVE) protocolOf(so).setOption(so, level, option, value);
    return 0;
  }
  const field = NUMBERS[option];
  if (field !== undefined) {
    if (value < 1) return ERRNO.EINVAL;
    if (value > LARGEST_BUFFER) return ERRNO.ENOBUFS;
    so[field] = value;
    return 0;
  }
  if (option === SO_LINGER) {
    so.linger = value < 0 ? -1 : value;
    return 0;
  }
  if (option === SO_RCVTIMEO || option === SO_SNDTIMEO) {
    if (value < 0) return ERRNO.EINVAL;
    if (option === SO_RCVTIMEO) so.rcvTimeout = value;
    else so.sndTimeout = value;
    return 0;
  }
  return ERRNO.ENOPROTOOPT;
}

/** The value of an option; undefined for ENOPROTOOPT. */
export function getOption(so: Socket, level: number, option: number): number | undefined {
  if (level !== SOL_SOCKET) return protocolOf(so).getOption(so, level, option);
  if (SWITCHES.includes(option) || option === SO_ACCEPTCONN) return (so.options & option) !== 0 ? 1 : 0;
  const field = NUMBERS[option];
  if (field !== undefined) return so[field];
  if (option === SO_LINGER) return so.linger;
  if (option === SO_RCVTIMEO) return so.rcvTimeout;
  if (option === SO_SNDTIMEO) return so.sndTimeout;
  if (option === SO_ERROR) return takeError(so);
  return option === SO_TYPE ? so.type : undefined;
}
