/**
 * Opens a TAP of the host and sets its interface up with the calls of netdevice(7), so that no other program is needed. A TAP that was made for the
 * user before is attached to, and what is right about it already is left alone: then no privilege is needed.
 */
import { closeSync, constants, openSync } from 'node:fs';
import {
  cannotAttach,
  cannotConfigure,
  cannotOpenTun,
  grantCommands,
  hasOtherAddress,
  parseAddress,
} from './tap-error.ts';
import type { TapWish } from './tap-error.ts';
import { LINUX_ERRNO, errno, eventfd, ioctl, socket } from './system.ts';

/** An open TAP. Who opened it closes both descriptors. */
export interface HostInterface {
  /** File descriptor that reads and writes frames; it does not block. */
  readonly descriptor: number;
  /** An eventfd(2) to wake who waits for the TAP; it does not block. */
  readonly wakeup: number;
  /** Hardware address of the host's side, as text. */
  readonly mac: string;
}

const TUNSETIFF = 0x4004_54ca;
const IFF_TAP = 0x0002;
/** Frames alone, without four bytes in front. */
const IFF_NO_PI = 0x1000;

const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCGIFADDR = 0x8915;
const SIOCSIFADDR = 0x8916;
const SIOCGIFNETMASK = 0x891b;
const SIOCSIFNETMASK = 0x891c;
const SIOCGIFMTU = 0x8921;
const SIOCSIFMTU = 0x8922;
const SIOCGIFHWADDR = 0x8927;
const SIOCGIFINDEX = 0x8933;

const IFF_UP = 0x1;
const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const EFD_FLAGS = 0o2000000 | 0o4000;

/** struct ifreq: a name, then a union that begins with flags, a number or a struct sockaddr. */
const IFREQ_BYTES = 40;
const VALUE = 16;
const SOCKADDR_IN_ADDRESS = VALUE + 4;
const SOCKADDR_DATA = VALUE + 2;

function request(name: string): Buffer {
  const bytes = Buffer.alloc(IFREQ_BYTES);
  bytes.write(name, 'latin1');
  return bytes;
}

function requestWithAddress(name: string, address: Uint8Array): Buffer {
  const bytes = request(name);
  bytes.writeUInt16LE(AF_INET, VALUE);
  bytes.set(address, SOCKADDR_IN_ADDRESS);
  return bytes;
}

const names = new Map<number, string>(Object.entries(LINUX_ERRNO).map(([name, number]) => [number, name]));

/** Name of the reason why the last system call failed. */
function failure(): string {
  return names.get(errno()) ?? `errno ${errno()}`;
}

function attach(wish: TapWish, control: number): number {
  let descriptor: number;
  try {
    descriptor = openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    throw cannotOpenTun(wish.name, (error as NodeJS.ErrnoException).code);
  }
  const bytes = request(wish.name);
  bytes.writeUInt16LE(IFF_TAP | IFF_NO_PI, VALUE);
  if (ioctl(descriptor, TUNSETIFF, bytes) === 0) return descriptor;
  const code = failure();
  closeSync(descriptor);
  throw cannotAttach(wish, code, ioctl(control, SIOCGIFINDEX, request(wish.name)) === 0);
}

/** The address as the host has it on the interface: the wanted one if it is there, else its first; undefined if it has none. */
function presentAddress(control: number, name: string, wanted: Uint8Array): string | undefined {
  // With an address in the request the kernel looks for that one first.
  const bytes = requestWithAddress(name, wanted);
  if (ioctl(control, SIOCGIFADDR, bytes) !== 0) return undefined;
  const address = bytes.subarray(SOCKADDR_IN_ADDRESS, SOCKADDR_IN_ADDRESS + 4).join('.');
  if (ioctl(control, SIOCGIFNETMASK, bytes) !== 0) return address;
  const netmask = bytes.readUInt32BE(SOCKADDR_IN_ADDRESS);
  return `${address}/${Math.clz32(~netmask)}`;
}

function setAddress(control: number, name: string, text: string): void {
  const wanted = parseAddress(text);
  if (wanted === undefined) return;
  const present = presentAddress(control, name, wanted.address);
  if (present === `${wanted.address.join('.')}/${Number(text.split('/')[1])}`) return;
  if (present !== undefined) throw hasOtherAddress(name, present, text);
  if (
    ioctl(control, SIOCSIFADDR, requestWithAddress(name, wanted.address)) !== 0 ||
    ioctl(control, SIOCSIFNETMASK, requestWithAddress(name, wanted.netmask)) !== 0
  ) {
    throw cannotConfigure(name, 'setting its address', failure(), `sudo ip addr add ${text} dev ${name}`);
  }
}

function setMtu(control: number, name: string, mtu: number): void {
  const bytes = request(name);
  if (ioctl(control, SIOCGIFMTU, bytes) === 0 && bytes.readInt32LE(VALUE) === mtu) return;
  bytes.writeInt32LE(mtu, VALUE);
  if (ioctl(control, SIOCSIFMTU, bytes) === 0) return;
  throw cannotConfigure(name, `setting its mtu to ${mtu}`, failure(), `sudo ip link set ${name} mtu ${mtu}`);
}

function switchOn(control: number, name: string): void {
  const bytes = request(name);
  if (ioctl(control, SIOCGIFFLAGS, bytes) === 0 && (bytes.readUInt16LE(VALUE) & IFF_UP) !== 0) return;
  bytes.writeUInt16LE(bytes.readUInt16LE(VALUE) | IFF_UP, VALUE);
  if (ioctl(control, SIOCSIFFLAGS, bytes) === 0) return;
  throw cannotConfigure(name, 'switching it on', failure(), `sudo ip link set ${name} up`);
}

function hardwareAddress(control: number, name: string): string {
  const bytes = request(name);
  ioctl(control, SIOCGIFHWADDR, bytes);
  return Array.from(bytes.subarray(SOCKADDR_DATA, SOCKADDR_DATA + 6), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join(':');
}

/**
 * Opens the TAP, making it if it does not exist, and brings its interface up with the wanted address and mtu.
 *
 * @throws TapError that says what is missing and how to get it.
 */
export function openHostInterface(wish: TapWish): HostInterface {
  const { name } = wish;
  const control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0) throw cannotConfigure(name, 'opening a socket', failure(), grantCommands(wish));
  const open = [control];
  try {
    const descriptor = attach(wish, control);
    open.push(descriptor);
    if (wish.address !== undefined) setAddress(control, name, wish.address);
    if (wish.mtu !== undefined) setMtu(control, name, wish.mtu);
    switchOn(control, name);
    const mac = hardwareAddress(control, name);
    const wakeup = eventfd(0, EFD_FLAGS);
    if (wakeup < 0) throw cannotConfigure(name, 'making an eventfd', failure(), grantCommands(wish));
    open.pop();
    return { descriptor, wakeup, mac };
  } finally {
    open.forEach((descriptor) => closeSync(descriptor));
  }
}
