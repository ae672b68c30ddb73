import { expect, test } from 'vitest';
import { breakLock, lock, tryLock, unlock } from '../../../stack/memory/lock.ts';
import { region, selfThread, u32 } from '../../../stack/memory/memory.ts';

const place = region('lock test', 64);

test('a lock that is taken is refused until it is given back', () => {
  lock(place);
  expect(tryLock(place)).toBe(false);
  unlock(place);
  expect([tryLock(place), tryLock(place)]).toEqual([true, false]);
  unlock(place);
});

test('a lock is broken only if the thread that died held it', () => {
  lock(place);
  expect(breakLock(place, selfThread + 1)).toBe(false);
  expect(tryLock(place)).toBe(false);
  unlock(place);
  expect(breakLock(place, selfThread)).toBe(false);
  u32[place >>> 2] = 8;
  expect([breakLock(place, 7), tryLock(place)]).toEqual([true, true]);
  unlock(place);
});
