/**
 * What a user is told when a TAP cannot be had: what was wrong, and the commands that would make it right (ip-tuntap(8), the kernel's tuntap.rst).
 */
import { isIPv4 } from 'node:net';

/** The TAP a user asks for. */
export interface TapWish {
  /** Name of the host's interface, for example `sscope0`. */
  readonly name: string;
  /** Address of the host on it with the length of its network, for example `10.0.9.254/24`. */
  readonly address?: string;
  /** Largest packet in bytes, 68 to 9000; the host's own choice (1500) when absent. */
  readonly mtu?: number;
}

/** A TAP cannot be had for a reason that a user can change; the message says how. */
export class TapError extends Error {
  override readonly name = 'TapError';
}

const NAME_BYTES = 15;
const MTU_MIN = 68;
const MTU_MAX = 9000;

/** Commands that make the TAP once, so that its user needs no privilege later. */
export function grantCommands({ name, address, mtu }: TapWish): string {
  const steps = [`sudo ip tuntap add dev ${name} mode tap user $USER`];
  if (address !== undefined) steps.push(`sudo ip addr add ${address} dev ${name}`);
  steps.push(`sudo ip link set ${name}${mtu === undefined ? '' : ` mtu ${mtu}`} up`);
  return steps.join(' && ');
}

/** An IPv4 address and its netmask, four bytes each in network order; undefined if the text is none. */
export function parseAddress(text: string): { address: Uint8Array; netmask: Uint8Array } | undefined {
  const [address = '', length = '', ...rest] = text.split('/');
  if (!isIPv4(address) || !/^\d{1,2}$/.test(length) || Number(length) > 32 || rest.length > 0)
    return undefined;
  const ones = Number(length);
  const netmask = Uint8Array.from(
    [0, 8, 16, 24],
    (from) => (0xff00 >> Math.min(8, Math.max(0, ones - from))) & 0xff,
  );
  return { address: Uint8Array.from(address.split('.'), Number), netmask };
}

/**
 * Checks what can be checked without the system.
 *
 * @throws TapError
 */
export function checkWish({ name, address, mtu }: TapWish): void {
  if (process.platform !== 'linux') {
    throw new TapError(`TAP ${name}: ports to the host need Linux, this is ${process.platform}`);
  }
  const bytes = Buffer.byteLength(name);
  if (bytes > NAME_BYTES) {
    throw new TapError(
      `TAP ${name}: the name has ${bytes} bytes, an interface's may have ${NAME_BYTES} at most`,
    );
  }
  if (name === '' || name === '.' || name === '..' || /[\s/:%]/.test(name)) {
    throw new TapError(
      `TAP "${name}": an interface's name is one word without "/", ":" and "%", for example sscope0`,
    );
  }
  if (address !== undefined && parseAddress(address) === undefined) {
    throw new TapError(
      `TAP ${name}: "${address}" is no IPv4 address with a length, for example 10.0.9.254/24`,
    );
  }
  if (mtu !== undefined && (!Number.isInteger(mtu) || mtu < MTU_MIN || mtu > MTU_MAX)) {
    throw new TapError(`TAP ${name}: an mtu of ${mtu} is outside ${MTU_MIN} to ${MTU_MAX}`);
  }
}

/** Why /dev/net/tun did not open. */
export function cannotOpenTun(name: string, code: string | undefined): TapError {
  if (code === 'ENOENT' || code === 'ENODEV') {
    return new TapError(`TAP ${name}: the host has no /dev/net/tun. Load the driver: sudo modprobe tun`);
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new TapError(
      `TAP ${name}: this user may not open /dev/net/tun. Allow it: sudo chmod 0666 /dev/net/tun (in a container: --device /dev/net/tun)`,
    );
  }
  return new TapError(`TAP ${name}: /dev/net/tun cannot be opened (${code ?? 'unknown reason'})`);
}

/** Why the kernel gave no TAP of that name; `exists` says whether there is an interface of that name. */
export function cannotAttach(wish: TapWish, code: string, exists: boolean): TapError {
  const { name } = wish;
  if (code === 'EPERM' && exists) {
    return new TapError(
      `TAP ${name}: it belongs to another user. Make it anew for yours: sudo ip tuntap del dev ${name} mode tap && ${grantCommands(wish)}`,
    );
  }
  if (code === 'EPERM') {
    return new TapError(
      `TAP ${name}: making an interface takes CAP_NET_ADMIN. Make it once for your user: ${grantCommands(wish)}`,
    );
  }
  if (code === 'EBUSY') {
    return new TapError(
      `TAP ${name}: another program has it open. Close that, or give the port another name`,
    );
  }
  if (code === 'EINVAL' && exists) {
    return new TapError(
      `TAP ${name}: there is an interface of that name that is no TAP, or a TAP with several queues. Give the port another name`,
    );
  }
  return new TapError(`TAP ${name}: the kernel gives no TAP of that name (${code})`);
}

/** Why the TAP could not be set up: `what` is its address, its mtu or switching it on, `command` what would do it. */
export function cannotConfigure(name: string, what: string, code: string, command: string): TapError {
  if (code === 'EPERM')
    return new TapError(`TAP ${name}: ${what} takes CAP_NET_ADMIN. Do it once: ${command}`);
  return new TapError(`TAP ${name}: ${what} failed (${code})`);
}

/** The host's interface has an address already, and the user's configuration is not ours to change. */
export function hasOtherAddress(name: string, found: string, wanted: string): TapError {
  return new TapError(
    `TAP ${name}: it has the address ${found}, not ${wanted}. Change the port's address, or the interface's: ` +
      `sudo ip addr replace ${wanted} dev ${name}`,
  );
}
