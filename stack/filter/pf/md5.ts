/** MD5 (RFC 1321), for keys of `source-hash` that are written as words. Not for anything that must be secure. */

const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;
const SINES = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0);
const BLOCK = 64;

/** The message with its padding and length, RFC 1321 §3.1 and §3.2. */
function pad(message: Uint8Array): DataView {
  const size = Math.ceil((message.length + 9) / BLOCK) * BLOCK;
  const bytes = new Uint8Array(size);
  bytes.set(message);
  bytes[message.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setUint32(size - 8, (message.length * 8) >>> 0, true);
  view.setUint32(size - 4, Math.floor(message.length / 2 ** 29), true);
  return view;
}

/** Function and word of a step in its round, §3.4. */
function step(i: number, b: number, c: number, d: number): { f: number; word: number } {
  if (i < 16) return { f: (b & c) | (~b & d), word: i };
  if (i < 32) return { f: (d & b) | (~d & c), word: (5 * i + 1) % 16 };
  if (i < 48) return { f: b ^ c ^ d, word: (3 * i + 5) % 16 };
  return { f: c ^ (b | ~d), word: (7 * i) % 16 };
}

/** 32 hexadecimal digits. */
export function md5(message: Uint8Array): string {
  const view = pad(message);
  let state: [number, number, number, number] = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476];
  for (let block = 0; block < view.byteLength; block += BLOCK) {
    let [a, b, c, d] = state;
    for (let i = 0; i < 64; i++) {
      const { f, word } = step(i, b, c, d);
      const shift = SHIFTS[i >> 4]?.[i & 3] ?? 0;
      const sum = (a + f + (SINES[i] ?? 0) + view.getUint32(block + word * 4, true)) | 0;
      const rotated = (sum << shift) | (sum >>> (32 - shift));
      [a, d, c, b] = [d, c, b, (b + rotated) | 0];
    }
    state = [(state[0] + a) | 0, (state[1] + b) | 0, (state[2] + c) | 0, (state[3] + d) | 0];
  }
  const digest = new DataView(new ArrayBuffer(16));
  state.forEach((word, index) => digest.setUint32(index * 4, word, true));
  return Array.from(new Uint8Array(digest.buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
