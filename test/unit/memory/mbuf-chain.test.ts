import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { region, u8 } from '../../../stack/memory/memory.ts';
import {
  MLEN,
  M_BCAST,
  M_PKTHDR,
  clusterCapacity,
  limitMbufs,
  mFree,
  mGetCluster,
  mGetHeader,
  mWritable,
  mbuf,
  mbufCapacity,
} from '../../../stack/memory/mbuf.ts';
import {
  chainLast,
  chainLength,
  mAppendChain,
  mCopyOut,
  mCopyPacket,
  mFromBytes,
  mPrepend,
  mPullup,
  mSharePacket,
  mShareRange,
  mSplit,
  mToBytes,
  mTrimFront,
  mTrimTo,
  mWritableFront,
} from '../../../stack/memory/mbuf-chain.ts';
import { anyPacket, build, buffersInUse, bytesOf, owner, sharedBytes } from './packets.ts';
import type { Built } from './packets.ts';

const scratch = region('chain test scratch', 8192);
let before: number[];

beforeEach(() => {
  before = buffersInUse();
});
afterEach(() => {
  expect(buffersInUse()).toEqual(before);
});

function freeAll(...packets: number[]): void {
  for (const m of packets) mFree(m);
}

/** Checks `property` for any packet and a number that it can take relative to its length, and that nothing leaks. */
function forAnyPacket(property: (built: Built, part: (max: number) => number) => void): void {
  fc.assert(
    fc.property(anyPacket, fc.double({ min: 0, max: 1, noNaN: true }), (pieces, fraction) => {
      const inUse = buffersInUse();
      const built = build(pieces);
      const shared = sharedBytes(built);
      property(built, (max) => Math.round(fraction * max));
      expect(sharedBytes(built)).toEqual(shared);
      freeAll(...built.sharers);
      expect(buffersInUse()).toEqual(inUse);
    }),
    { numRuns: 300 },
  );
}

function expectPacket(m: number, bytes: Uint8Array): void {
  expect(bytesOf(m)).toEqual(bytes);
  expect(mbuf(m).pktLen).toBe(bytes.length);
  expect(mbuf(m).flags & M_PKTHDR).toBe(M_PKTHDR);
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe('a packet', () => {
  test('made of bytes holds these bytes behind the lead asked for', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9000 }), fc.nat(80), (bytes, lead) => {
        const m = mFromBytes(owner, bytes, lead);
        expectPacket(m, bytes);
        const { data, ext } = mbuf(m);
        expect(data).toBe((ext === 0 ? m + 64 : ext) + lead);
        freeAll(m);
      }),
      { numRuns: 60 },
    );
  });

  test('is copied out from any offset', () => {
    forAnyPacket(({ m, bytes }, part) => {
      const off = part(bytes.length);
      const len = part(bytes.length - off);
      u8.fill(0xee, scratch, scratch + bytes.length + 1);
      mCopyOut(m, off, len, scratch);
      expect(u8.slice(scratch, scratch + len)).toEqual(bytes.slice(off, off + len));
      expect(u8[scratch + len]).toBe(0xee);
      const target = new Uint8Array(bytes.length);
      expect(mToBytes(m, target, off)).toBe(off);
      expect(target.subarray(0, off)).toEqual(bytes.subarray(0, off));
      freeAll(m);
    });
  });

  test('loses bytes at its front', () => {
    forAnyPacket(({ m, bytes }, part) => {
      const count = part(bytes.length);
      mTrimFront(m, count);
      expectPacket(m, bytes.slice(count));
      freeAll(m);
    });
  });

  test('is cut to a length, never lengthened', () => {
    forAnyPacket(({ m, bytes }, part) => {
      const length = part(bytes.length + 20);
      mTrimTo(m, length);
      expectPacket(m, bytes.slice(0, length));
      freeAll(m);
    });
  });

  test('gets room in front that nobody else can see', () => {
    forAnyPacket(({ m, bytes }, part) => {
      const count = part(MLEN);
      mbuf(m).rcvif = 77;
      mbuf(m).flags |= M_BCAST;
      const longer = mPrepend(m, count);
      const header = Uint8Array.from({ length: count }, (_, i) => i);
      u8.set(header, mbuf(longer).data);
      expect(mbuf(longer).len).toBeGreaterThanOrEqual(count);
      expectPacket(longer, concat(header, bytes));
      expect(mbuf(longer)).toMatchObject({ rcvif: 77, flags: M_PKTHDR | M_BCAST });
      freeAll(longer);
    });
  });

  test('prepended to keeps room in its new buffer for the headers of lower layers, an IP header aligned', () => {
    const m = mFromBytes(owner, new Uint8Array(100), 0);
    const ip = mPrepend(m, 20);
    expect(ip).not.toBe(m);
    expect(mbuf(ip).data % 4).toBe(0);
    const ether = mPrepend(ip, 14);
    expect(ether).toBe(ip);
    expect(mbuf(ether).len).toBe(34);
    freeAll(ether);
  });

  test('has its first bytes made contiguous', () => {
    forAnyPacket(({ m, bytes }, part) => {
      const count = part(Math.min(bytes.length, MLEN));
      const pulled = mPullup(m, count);
      expect(mbuf(pulled).len).toBeGreaterThanOrEqual(count);
      expectPacket(pulled, bytes);
      freeAll(pulled);
    });
  });

  test('has its first bytes made contiguous and writable without a change for those who share it', () => {
    forAnyPacket(({ m, bytes }, part) => {
      const count = part(Math.min(bytes.length, MLEN - 16));
      const front = mWritableFront(m, count);
      expect(mbuf(front).len).toBeGreaterThanOrEqual(count);
      expect(mWritable(mbuf(front))).toBe(true);
      expectPacket(front, bytes);
      u8.fill(0xaa, mbuf(front).data, mbuf(front).data + count);
      expectPacket(front, concat(new Uint8Array(count).fill(0xaa), bytes.slice(count)));
      freeAll(front);
    });
  });

  test('that is too short to be pulled up is freed', () => {
    const m = mFromBytes(owner, new Uint8Array(10), 0);
    expect(mPullup(m, 11)).toBe(0);
    const long = mFromBytes(owner, new Uint8Array(1000), 0);
    expect(mPullup(mPrepend(long, 20), MLEN + 1)).toBe(0);
  });

  test('shows any range of another, which may go first', () => {
    forAnyPacket(({ m, bytes }, part) => {
      const off = part(bytes.length);
      const len = part(bytes.length - off);
      const range = mShareRange(owner, m, off, len);
      freeAll(m);
      expect(bytesOf(range)).toEqual(bytes.slice(off, off + len));
      expect(mbuf(range).flags & M_PKTHDR).toBe(0);
      freeAll(range);
    });
  });

  test('is shared with a second receiver, whichever frees it first', () => {
    forAnyPacket(({ m, bytes }, part) => {
      const second = mSharePacket(owner, m);
      expectPacket(second, bytes);
      const [first, last] = part(1) === 0 ? [m, second] : [second, m];
      freeAll(first);
      expectPacket(last, bytes);
      freeAll(last);
    });
  });

  test('is copied into buffers of its own', () => {
    forAnyPacket(({ m, bytes }) => {
      mbuf(m).flags |= M_BCAST;
      const copy = mCopyPacket(owner, m);
      expectPacket(copy, bytes);
      expect(mbuf(copy).flags).toBe(M_PKTHDR | M_BCAST);
      for (let part = copy; part !== 0; part = mbuf(part).next) {
        expect(mWritable(mbuf(part))).toBe(true);
        u8.fill(0, mbuf(part).data, mbuf(part).data + mbuf(part).len);
      }
      expectPacket(m, bytes);
      freeAll(m, copy);
    });
  });

  test('is split into two chains', () => {
    forAnyPacket(({ m, bytes }, part) => {
      if (bytes.length >= 2) {
        const count = 1 + part(bytes.length - 2);
        const rest = mSplit(owner, m, count);
        expect(bytesOf(m)).toEqual(bytes.slice(0, count));
        expect(bytesOf(rest)).toEqual(bytes.slice(count));
        freeAll(rest);
      }
      freeAll(m);
    });
  });

  test('takes another chain at its end', () => {
    forAnyPacket(({ m, bytes }) => {
      const tail = mFromBytes(owner, Uint8Array.of(1, 2, 3), 0);
      mbuf(tail).flags = 0;
      mAppendChain(m, tail, 3);
      expect(chainLast(m)).toBe(tail);
      expect(chainLength(m)).toBe(bytes.length + 3);
      expectPacket(m, concat(bytes, Uint8Array.of(1, 2, 3)));
      freeAll(m);
    });
  });
});

describe('without buffers', () => {
  /** Runs `work` while only `spare` mbufs are left. */
  function withOnly(spare: number, work: () => void): void {
    const kept = Array.from({ length: spare }, () => mGetHeader(owner, 0));
    limitMbufs(0, clusterCapacity);
    const taken: number[] = [];
    for (let m = mGetHeader(owner, 0); m !== 0; m = mGetHeader(owner, 0)) taken.push(m);
    freeAll(...kept);
    try {
      work();
    } finally {
      limitMbufs(mbufCapacity, clusterCapacity);
      freeAll(...taken);
    }
  }

  test('nothing is made', () => {
    withOnly(0, () => {
      expect(mFromBytes(owner, Uint8Array.of(1), 0)).toBe(0);
      expect(mGetCluster(owner, 0)).toBe(0);
    });
  });

  test('what was begun is given back: of bytes, a copy, a share', () => {
    const long = mFromBytes(owner, new Uint8Array(9000), 0);
    withOnly(2, () => {
      const inUse = buffersInUse();
      expect(mFromBytes(owner, new Uint8Array(9000), 0)).toBe(0);
      expect(mCopyPacket(owner, long)).toBe(0);
      expect(mSharePacket(owner, long)).toBe(0);
      expect(mShareRange(owner, long, 100, 8000)).toBe(0);
      expect(buffersInUse()).toEqual(inUse);
    });
    expectPacket(long, new Uint8Array(9000));
    freeAll(long);
  });

  test.each([
    ['room in front', (m: number) => mPrepend(m, 20)],
    ['contiguous bytes', (m: number) => mPullup(m, 100)],
    ['bytes to write in', (m: number) => mWritableFront(m, 20)],
  ])('a packet that cannot be given %s is freed', (_what, attempt) => {
    const m = mFromBytes(owner, new Uint8Array(5000), 0);
    const sharer = mSharePacket(owner, m);
    // Leaves 40 bytes in the first buffer.
    mTrimFront(m, 2008);
    withOnly(0, () => {
      const inUse = buffersInUse()[0]!;
      expect(attempt(m)).toBe(0);
      expect(buffersInUse()[0]).toBe(inUse - 3);
    });
    freeAll(sharer);
  });

  test('a split leaves the chain whole', () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i);
    const m = mFromBytes(owner, bytes, 0);
    withOnly(0, () => expect(mSplit(owner, m, 500)).toBe(0));
    expectPacket(m, bytes);
    freeAll(m);
  });
});
