/** Error numbers and texts of BSD and QNX Neutrino (errno(2)); what a stack answers with. 0 means success. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENOTTY: 25,
  ENOSPC: 28,
  EPIPE: 32,
  ENOSYS: 89,
  ENOTEMPTY: 93,
  ENOTSOCK: 238,
  EDESTADDRREQ: 239,
  EMSGSIZE: 240,
  EPROTOTYPE: 241,
  ENOPROTOOPT: 242,
  EPROTONOSUPPORT: 243,
  EOPNOTSUPP: 103,
  EAFNOSUPPORT: 247,
  EADDRINUSE: 248,
  EADDRNOTAVAIL: 249,
  ENETDOWN: 250,
  ENETUNREACH: 251,
  ECONNABORTED: 253,
  ECONNRESET: 254,
  ENOBUFS: 255,
  EISCONN: 256,
  ENOTCONN: 257,
  ESHUTDOWN: 258,
  ETIMEDOUT: 260,
  ECONNREFUSED: 261,
  EHOSTDOWN: 264,
  EHOSTUNREACH: 265,
  EALREADY: 237,
  EINPROGRESS: 236,
} as const;
export type ErrnoName = keyof typeof ERRNO;

const TEXTS: Record<ErrnoName, string> = {
  EPERM: 'Not owner',
  ENOENT: 'No such file or directory',
  ESRCH: 'No such process',
  EINTR: 'Interrupted function call',
  EIO: 'I/O error',
  ENXIO: 'No such device or address',
  E2BIG: 'Arg list too long',
  EBADF: 'Bad file descriptor',
  EAGAIN: 'Resource temporarily unavailable',
  ENOMEM: 'Not enough memory',
  EACCES: 'Permission denied',
  EFAULT: 'Bad address',
  EBUSY: 'Resource busy',
  EEXIST: 'File exists',
  ENODEV: 'No such device',
  ENOTDIR: 'Not a directory',
  EISDIR: 'Is a directory',
  EINVAL: 'Invalid argument',
  ENOTTY: 'Inappropriate I/O control operation',
  ENOSPC: 'No space left on device',
  EPIPE: 'Broken pipe',
  ENOSYS: 'Function not implemented',
  ENOTEMPTY: 'Directory not empty',
  ENOTSOCK: 'Socket operation on non-socket',
  EDESTADDRREQ: 'Destination address required',
  EMSGSIZE: 'Message too long',
  EPROTOTYPE: 'Protocol wrong type for socket',
  ENOPROTOOPT: 'Protocol not available',
  EPROTONOSUPPORT: 'Protocol not supported',
  EOPNOTSUPP: 'Operation not supported',
  EAFNOSUPPORT: 'Address family not supported by protocol family',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: "Can't assign requested address",
  ENETDOWN: 'Network is down',
  ENETUNREACH: 'Network is unreachable',
  ECONNABORTED: 'Software caused connection abort',
  ECONNRESET: 'Connection reset by peer',
  ENOBUFS: 'No buffer space available',
  EISCONN: 'Socket is already connected',
  ENOTCONN: 'Socket is not connected',
  ESHUTDOWN: "Can't send after socket shutdown",
  ETIMEDOUT: 'Connection timed out',
  ECONNREFUSED: 'Connection refused',
  EHOSTDOWN: 'Host is down',
  EHOSTUNREACH: 'No route to host',
  EALREADY: 'Operation already in progress',
  EINPROGRESS: 'Operation now in progress',
};

const names = new Map<number, ErrnoName>();
for (const name of Object.keys(ERRNO) as ErrnoName[]) names.set(ERRNO[name], name);

/** Name of an error number, e.g. ECONNREFUSED. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `E${errno}`;
}

/** strerror(3). */
export function strerror(errno: number): string {
  const name = names.get(errno);
  return name === undefined ? `Unknown error ${errno}` : TEXTS[name];
}

/** An error of a system call, thrown to programs: carries `errno` and `code` as Node's system errors do. */
export class SystemError extends Error {
  readonly errno: number;
  readonly code: string;
  /** What failed, without the text of the error. */
  readonly what: string;

  constructor(errno: number, what: string) {
    super(`${what}: ${strerror(errno)}`);
    this.what = what;
    this.name = 'SystemError';
    this.errno = errno;
    this.code = errnoName(errno);
  }
}
