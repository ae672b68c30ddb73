/**
 * Bytes that arrive in pieces and are read in records. Pieces are joined only when a record spans them, so that
 * the work stays linear in the bytes that really arrived, whatever lengths a hostile file announces.
 */
export class ChunkBuffer {
  private chunks: Uint8Array[] = [];
  private available = 0;
  private consumed = 0;

  /** Offset in the whole stream of the next unread byte. */
  get offset(): number {
    return this.consumed;
  }

  /** Unread bytes at hand. */
  get length(): number {
    return this.available;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.chunks.push(chunk);
    this.available += chunk.length;
  }

  /** @returns the next `count` bytes in one piece without consuming them, or undefined if fewer are here. */
  peek(count: number): Uint8Array | undefined {
    if (count > this.available) return undefined;
    const head = this.chunks[0];
    if (head === undefined) return new Uint8Array(0);
    return head.length >= count ? head.subarray(0, count) : this.join(count).subarray(0, count);
  }

  /** Consumes `count` bytes, which must be at hand. */
  skip(count: number): void {
    let left = count;
    let head = this.chunks[0];
    while (head !== undefined && left >= head.length) {
      left -= head.length;
      this.chunks.shift();
      head = this.chunks[0];
    }
    if (head !== undefined && left > 0) this.chunks[0] = head.subarray(left);
    this.available -= count;
    this.consumed += count;
  }

  private join(count: number): Uint8Array {
    let total = 0;
    let pieces = 0;
    for (const chunk of this.chunks) {
      if (total >= count) break;
      total += chunk.length;
      pieces++;
    }
    const joined = new Uint8Array(total);
    let at = 0;
    for (const chunk of this.chunks.splice(0, pieces)) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    this.chunks.unshift(joined);
    return joined;
  }
}
