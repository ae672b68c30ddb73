/**
 * The messages of resource managers ("Writing a Resource Manager"): what open(), read(), write() and their like become. The connect messages
 * carry a path and establish, or do without, an open control block (OCB); the I/O messages refer to it by the connection they come over.
 * There is no message for close(): the manager gets the pulse that the connection went.
 */

/** Kinds of files, as the first letter of `ls -l` shows them. */
export type FileKind = 'file' | 'directory' | 'device' | 'name';

export interface Stat {
  readonly kind: FileKind;
  /** Bytes. */
  readonly size: number;
  /** Last change, ns of the lab's clock. */
  readonly mtime: number;
  /** Permission bits, e.g. 0o644. */
  readonly mode: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileKind;
}

/** Open flags. */
export const O_RDONLY = 0x1;
export const O_WRONLY = 0x2;
export const O_RDWR = O_RDONLY | O_WRONLY;
export const O_CREAT = 0x100;
export const O_TRUNC = 0x200;
export const O_EXCL = 0x400;
export const O_APPEND = 0x8;
export const O_NONBLOCK = 0x80;
export const O_DIRECTORY = 0x1000;

/** Part of every connect message: the attach point and the path below it. */
interface ConnectBody {
  readonly handle: number;
  readonly path: string;
}

/** Messages by type: what they carry and what they are answered with. */
export interface IoMap {
  open: { body: ConnectBody & { readonly flags: number; readonly mode: number }; reply: undefined };
  unlink: { body: ConnectBody; reply: undefined };
  mkdir: { body: ConnectBody & { readonly mode: number }; reply: undefined };
  rename: { body: ConnectBody & { readonly to: string }; reply: undefined };
  read: { body: { readonly bytes: number }; reply: Uint8Array };
  write: { body: { readonly data: Uint8Array }; reply: number };
  /** Sets the position; answers with it. */
  lseek: { body: { readonly offset: number; readonly from: 'start' | 'current' | 'end' }; reply: number };
  readdir: { body: object; reply: DirectoryEntry[] };
  stat: { body: object; reply: Stat };
  /** Waits until one of the events (POLL*) is there, at most `timeout` ns (negative: without end); answers with those that are. */
  poll: { body: { readonly events: number; readonly timeout: number }; reply: number };
  devctl: { body: { readonly command: string; readonly data: unknown }; reply: unknown };
}
export type IoType = keyof IoMap;
export type IoMessage = { [T in IoType]: { readonly type: T } & IoMap[T]['body'] }[IoType];
