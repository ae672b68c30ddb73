/**
 * Counts and digests a body on its way: how httpd and http prove that what arrived is what was sent.
 */
import type { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';

/**
 * Reads a body to its end.
 * @param take gets every piece; the next is read when its promise is kept
 * @returns `bytes=N sha256=HEX`
 */
export async function digestBody(
  body: AsyncIterable<unknown>,
  take: (chunk: Buffer) => Promise<void> | void,
): Promise<string> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    await take(chunk);
  }
  return `bytes=${bytes} sha256=${hash.digest('hex')}`;
}
