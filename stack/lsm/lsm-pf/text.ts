/**
 * Texts in pages of the one memory: what PF keeps as JSON because it is read seldom and by whichever thread needs it.
 */
import { u8 } from '../../memory/memory.ts';
import { PAGE_DATA, pages } from './records.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A text in pages: the first page and how many bytes it has. */
export interface StoredText {
  readonly page: number;
  readonly bytes: number;
}

/** Frees a chain of pages. */
export function freePages(first: number): void {
  for (let ptr = first; ptr !== 0;) {
    const { next } = pages.get(ptr);
    pages.free(ptr);
    ptr = next;
  }
}

/** A chain of `count` zeroed pages, at least one; 0 when they are exhausted. */
export function allocPages(count: number): number {
  let first = 0;
  for (let i = 0; i < Math.max(1, count); i++) {
    const ptr = pages.alloc();
    if (ptr === 0) {
      freePages(first);
      return 0;
    }
    pages.get(ptr).next = first;
    first = ptr;
  }
  return first;
}

/** Keeps a text; undefined when pages are exhausted. */
export function storeText(text: string): StoredText | undefined {
  const bytes = encoder.encode(text);
  const page = allocPages(Math.ceil(bytes.length / PAGE_DATA));
  if (page === 0) return undefined;
  for (let at = 0, ptr = page; at < bytes.length; at += PAGE_DATA, ptr = pages.get(ptr).next)
    u8.set(bytes.subarray(at, at + PAGE_DATA), pages.get(ptr).data);
  return { page, bytes: bytes.length };
}

/** Reads a text. */
export function loadText({ page, bytes }: StoredText): string {
  const copy = new Uint8Array(bytes);
  for (let at = 0, ptr = page; at < bytes; at += PAGE_DATA, ptr = pages.get(ptr).next) {
    const { data } = pages.get(ptr);
    copy.set(u8.subarray(data, data + Math.min(PAGE_DATA, bytes - at)), at);
  }
  return decoder.decode(copy);
}
