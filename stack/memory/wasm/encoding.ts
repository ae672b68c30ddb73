/*
 * The byte encodings that every part of a WebAssembly module is made of: LEB128 integers, vectors, names and
 * sections. Follows the WebAssembly Core Specification 2.0, chapter 5 "Binary Format" (§5.1.3, §5.2, §5.5.2).
 */

/** Bytes, nested as the text that produced them; flattened once, when the module is complete. */
export type Code = number | readonly Code[];

/** Unsigned LEB128 of an integer in 0 .. 2^32 - 1. */
export function unsignedLeb(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}

/** Signed LEB128. Numbers are bigints, so that one function serves i32 and i64 constants. */
export function signedLeb(value: bigint): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    // Done when what is left is nothing but the sign that bit 6 already carries.
    if (rest === ((low & 0x40) === 0 ? 0n : -1n)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** A vector: the number of elements, then the elements. */
export function vector(elements: readonly Code[]): Code {
  return [unsignedLeb(elements.length), elements];
}

/** A name: its UTF-8 bytes as a vector. */
export function name(text: string): Code {
  return vector([...new TextEncoder().encode(text)]);
}

/** Bytes preceded by their length, as function bodies and sections are. */
export function sized(content: Code): Code {
  const bytes = flatten(content);
  return [unsignedLeb(bytes.length), bytes];
}

/** A section of the module: id, size, content. */
export function section(id: number, content: Code): Code {
  return [id, sized(content)];
}

/** The plain bytes of nested code. Iterative, because generated code nests blocks thousands deep. */
export function flatten(code: Code): readonly number[] {
  const bytes: number[] = [];
  const pending: Code[] = [code];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next === 'number') bytes.push(next);
    else for (let i = next.length - 1; i >= 0; i--) pending.push(next[i] ?? []);
  }
  return bytes;
}
