/** Puts a test into a network namespace of its own: what it does to interfaces stays there, and ends with its process. */
import { existsSync, writeFileSync } from 'node:fs';
import koffi from 'koffi';

const CLONE_NEWNET = 0x4000_0000;
const NO_IPV6 = '/proc/sys/net/ipv6/conf/default/disable_ipv6';

/**
 * From now on this thread, and the threads and processes it starts, see a network of their own in which there is nothing but `lo`. IPv6 is off in it:
 * no interface says anything of its own accord.
 */
export function enterNetworkNamespace(): void {
  const unshare: (flags: number) => number = koffi.load(null).func('int unshare(int flags)');
  if (unshare(CLONE_NEWNET) !== 0) throw new Error(`unshare(CLONE_NEWNET): errno ${koffi.errno()}`);
  if (existsSync(NO_IPV6)) writeFileSync(NO_IPV6, '1');
}
