import { beforeEach, describe, expect, test } from 'vitest';
import { selfThread, u32, u8 } from '../../../stack/memory/memory.ts';
import {
  MCLBYTES,
  MHEADER,
  MLEN,
  M_PKTHDR,
  leakReport,
  limitMbufs,
  clusterCapacity,
  mFree,
  mFreeList,
  mFreeOne,
  mGetCluster,
  mGetHeader,
  mLeading,
  mOwn,
  mShareCluster,
  mTrailing,
  mWritable,
  mbuf,
  mbufCapacity,
  mbufReports,
  ownerTag,
  reclaimMagazines,
} from '../../../stack/memory/mbuf.ts';

const owner = ownerTag('test');

function inUse(): number[] {
  return mbufReports().map((report) => report.inUse);
}

/** Takes buffers until there are none left. */
function takeAll(take: () => number): number[] {
  const taken: number[] = [];
  for (let m = take(); m !== 0; m = take()) taken.push(m);
  return taken;
}

beforeEach(() => {
  expect(leakReport()).toEqual(new Map());
});

describe('an mbuf', () => {
  test('is handed out as an empty packet of its owner, with room in its own area', () => {
    const m = mGetHeader(owner, 16);
    const view = mbuf(m);
    expect(view).toMatchObject({ next: 0, nextpkt: 0, len: 0, pktLen: 0, ext: 0, flags: M_PKTHDR, owner });
    expect([view.data - m, mLeading(view), mTrailing(view)]).toEqual([MHEADER + 16, 16, MLEN - 16]);
    expect(mWritable(view)).toBe(true);
    mFree(m);
  });

  test('with a cluster has the room of the cluster', () => {
    const m = mGetCluster(owner, 2);
    const view = mbuf(m);
    expect(view.data - view.ext).toBe(2);
    expect(view.ext % MCLBYTES).toBe(0);
    expect([mLeading(view), mTrailing(view), mWritable(view)]).toEqual([2, MCLBYTES - 2, true]);
    mFree(m);
  });

  test('is clean again after a use that filled every field', () => {
    const m = mGetHeader(owner, 0);
    u8.fill(0xff, m + 4, m + 20);
    u8.fill(0xff, m + 24, m + 256);
    mbuf(m).ext = 0;
    mFreeOne(m);
    const again = mGetHeader(owner, 0);
    expect(again).toBe(m);
    expect(mbuf(again)).toMatchObject({
      next: 0,
      nextpkt: 0,
      len: 0,
      pktLen: 0,
      rcvif: 0,
      aux: 0,
      aux2: 0,
      csum: 0,
    });
    expect([mbuf(again).time, mbuf(again).journey]).toEqual([0, 0]);
    mFree(again);
  });

  test('and its records overlap no other, over many exchanges with the shared list', () => {
    const taken = Array.from({ length: 500 }, (_, i) =>
      i % 3 === 0 ? mGetCluster(owner, 0) : mGetHeader(owner, 0),
    );
    expect(new Set(taken).size).toBe(500);
    taken.forEach((m, i) => u8.fill(i, mbuf(m).data, mbuf(m).data + 100));
    taken.forEach((m, i) => expect(u8[mbuf(m).data + 99]).toBe(i & 0xff));
    const clusters = taken.map((m) => mbuf(m).ext).filter((ext) => ext !== 0);
    expect(new Set(clusters).size).toBe(167);
    for (const m of taken) mFree(m);
  });

  test('is counted while it is in use, also across the magazines', () => {
    const before = inUse();
    const taken = Array.from({ length: 200 }, () => mGetCluster(owner, 0));
    expect(inUse()).toEqual([before[0]! + 200, before[1]! + 200]);
    for (const m of taken) mFree(m);
    expect(inUse()).toEqual(before);
    expect(mbufReports()[0]!.highWater).toBeGreaterThanOrEqual(200);
  });

  test('chains and lists of packets are freed whole', () => {
    const before = inUse();
    const packets = [1, 2, 3].map(() => {
      const m = mGetHeader(owner, 0);
      mbuf(m).next = mGetCluster(owner, 0);
      return m;
    });
    mbuf(packets[0]!).nextpkt = packets[1]!;
    mbuf(packets[1]!).nextpkt = packets[2]!;
    mFreeList(packets[0]!);
    expect(inUse()).toEqual(before);
  });
});

describe('a shared cluster', () => {
  test('lives as long as its last owner and may be written to only by a single one', () => {
    const before = inUse();
    const first = mGetCluster(owner, 0);
    const second = mGetHeader(owner, 0);
    u8.fill(0x5a, mbuf(first).data, mbuf(first).data + 100);
    mbuf(first).len = 100;
    mShareCluster(mbuf(first), mbuf(second), mbuf(first).data + 10, 20);
    expect([mWritable(mbuf(first)), mWritable(mbuf(second))]).toEqual([false, false]);
    mFree(first);
    expect(inUse()).toEqual([before[0]! + 1, before[1]! + 1]);
    expect(mWritable(mbuf(second))).toBe(true);
    expect([...u8.subarray(mbuf(second).data, mbuf(second).data + 20)]).toEqual(new Array(20).fill(0x5a));
    mFree(second);
    expect(inUse()).toEqual(before);
  });
});

describe('the debug pool', () => {
  test('throws on a second free and names the owner', () => {
    const m = mGetHeader(ownerTag('arp hold'), 0);
    mFree(m);
    expect(() => mFree(m)).toThrow(`mbuf ${m}: freed twice (owner arp hold)`);
  });

  test('throws on a cluster that is freed behind the back of its owner', () => {
    const m = mGetCluster(owner, 0);
    const other = mGetHeader(owner, 0);
    mbuf(other).ext = mbuf(m).ext;
    mFree(m);
    expect(() => mFree(other)).toThrow(/cluster \d+: freed twice/);
  });

  test.each([
    ['its header', (m: number) => m + 24],
    ['its data area', (m: number) => m + 200],
  ])('finds what was written into %s after the free', (_where, place) => {
    const m = mGetHeader(owner, 0);
    mFree(m);
    const kept = u32[place(m) >>> 2]!;
    u32[place(m) >>> 2] = 1;
    expect(() => mGetHeader(owner, 0)).toThrow(
      `mbuf ${m}: written to at offset ${place(m) - m} after it was freed`,
    );
    u32[place(m) >>> 2] = kept;
  });

  test('finds what was written into a cluster after the free', () => {
    const m = mGetCluster(owner, 0);
    const cluster = mbuf(m).ext;
    mFree(m);
    u8[cluster + 1000] = 7;
    expect(() => mGetCluster(owner, 0)).toThrow(
      `cluster ${cluster}: written to at offset 1000 after it was freed`,
    );
  });

  test('throws when a null address is followed', () => {
    expect(() => mbuf(0)).toThrow(/null or stray address/);
  });

  test('tells who holds what was not freed', () => {
    const held = [mGetHeader(ownerTag('link'), 0), mGetCluster(ownerTag('link'), 0), mGetHeader(owner, 0)];
    mOwn(held[2]!, ownerTag('reassembly'));
    expect(leakReport()).toEqual(
      new Map([
        ['link', 2],
        ['reassembly', 1],
      ]),
    );
    for (const m of held) mFree(m);
    expect(leakReport()).toEqual(new Map());
  });
});

describe('exhaustion', () => {
  test('of mbufs is answered with 0, counted, and over when one is freed', () => {
    limitMbufs(1000, clusterCapacity);
    const failures = mbufReports()[0]!.failures;
    const taken = takeAll(() => mGetHeader(owner, 0));
    // Everything but what earlier tests deliberately broke.
    expect(taken.length).toBeGreaterThan(980);
    expect(taken.length).toBeLessThanOrEqual(1000);
    expect(mGetCluster(owner, 0)).toBe(0);
    expect(mbufReports()[0]).toMatchObject({ capacity: 1000, failures: failures + 2 });
    mFree(taken.pop()!);
    const again = mGetHeader(owner, 0);
    expect(again).not.toBe(0);
    for (const m of [...taken, again]) mFree(m);
    limitMbufs(mbufCapacity, clusterCapacity);
  });

  test('of clusters leaves no mbuf behind', () => {
    limitMbufs(mbufCapacity, 600);
    const taken = takeAll(() => mGetCluster(owner, 0));
    const before = inUse();
    expect([mGetCluster(owner, 0), mGetCluster(owner, 0)]).toEqual([0, 0]);
    expect(inUse()).toEqual(before);
    expect(mbufReports()[1]!.failures).toBeGreaterThanOrEqual(3);
    const small = mGetHeader(owner, 0);
    expect(small).not.toBe(0);
    for (const m of [...taken, small]) mFree(m);
    limitMbufs(mbufCapacity, clusterCapacity);
  });

  test('does not come early: what a thread that died kept in its magazines is used again', () => {
    const m = mGetHeader(owner, 0);
    mFree(m);
    reclaimMagazines(selfThread);
    const taken = Array.from({ length: 100 }, () => mGetHeader(owner, 0));
    expect(taken).toContain(m);
    expect(new Set(taken).size).toBe(100);
    for (const each of taken) mFree(each);
  });
});
