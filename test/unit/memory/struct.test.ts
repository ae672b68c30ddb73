import { describe, expect, test } from 'vitest';
import { region, f64, i32, u16, u32, u8 } from '../../../stack/memory/memory.ts';
import { struct } from '../../../stack/memory/struct.ts';

const mixed = struct('mixed', {
  version: 'u8',
  port: 'u16',
  next: 'ptr',
  state: 'u8',
  time: 'f64',
  delta: 'i32',
  mac: { bytes: 6 },
  flags: 'u32',
});

describe('the layout of a struct', () => {
  test('puts each field at its natural alignment, in the declared order', () => {
    expect(mixed.offsets).toEqual({
      version: 0,
      port: 2,
      next: 4,
      state: 8,
      time: 16,
      delta: 24,
      mac: 32,
      flags: 40,
    });
    expect(mixed.size).toBe(48);
  });

  test('reads and writes exactly the words of the memory that it declares', () => {
    const p = region('struct test words', mixed.size);
    const view = mixed.at(p);
    Object.assign(view, {
      version: 4,
      port: 0xbeef,
      next: p,
      state: 7,
      time: 1.5e300,
      delta: -3,
      flags: 0xffffffff,
    });
    u8[view.mac + 5] = 0x42;
    expect(view.ptr).toBe(p);
    expect([u8[p], u16[(p + 2) >>> 1], u32[(p + 4) >>> 2], u8[p + 8]]).toEqual([4, 0xbeef, p, 7]);
    expect([f64[(p + 16) >>> 3], i32[(p + 24) >>> 2], u8[p + 37]]).toEqual([1.5e300, -3, 0x42]);
    expect(view.flags).toBe(4_294_967_295);
    expect(u8[p + 38]).toBe(0);
  });

  test('keeps a number within the width of its field', () => {
    const view = mixed.at(region('struct test widths', mixed.size));
    view.version = 0x1ff;
    view.port = -1;
    view.delta = 0x8000_0000;
    expect([view.version, view.port, view.delta]).toEqual([0xff, 0xffff, -0x8000_0000]);
  });
});
