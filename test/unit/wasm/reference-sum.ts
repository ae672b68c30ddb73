/*
 * The Internet checksum as RFC 1071 §1 states it, one word at a time: what the kernels are compared with.
 */

/** Ones-complement addition of two 16-bit numbers. */
export function addOnesComplement(a: number, b: number): number {
  const sum = a + b;
  return sum > 0xffff ? sum - 0xffff : sum;
}

/** The sum of the bytes in little-endian word order, not complemented; an odd last byte is a low half. */
export function referenceSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum = addOnesComplement(sum, (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8));
  }
  return sum;
}
