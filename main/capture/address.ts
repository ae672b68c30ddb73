/** Text of IP addresses to bytes, for name records of capture files (RFC 4291 §2.2 for the IPv6 forms). */
import { isIPv4, isIPv6 } from 'node:net';

/** @returns 4 or 16 bytes in network order, or undefined if the text is not an address. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  return isIPv6(text) && !text.includes('%') ? ipv6Bytes(text) : undefined;
}

function ipv6Bytes(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const front = groups(head);
  const back = groups(tail ?? '');
  const zeros = new Array<number>(Math.max(0, 16 - front.length - back.length)).fill(0);
  return Uint8Array.from([...front, ...(tail === undefined ? [] : zeros), ...back]);
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
