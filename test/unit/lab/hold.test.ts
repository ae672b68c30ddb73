// Holding the threads of a lab still while something they use is changed.
import { expect, test } from 'vitest';
import { twoNodes } from '../../support/lab.ts';

test('holds that follow one another at once find all threads still', async () => {
  const { lab, stop } = await twoNodes({ time: 'real', threads: 2 });
  let held = 0;
  for (let i = 0; i < 2000; i++) held += lab.engine.whileHeld(() => 1);
  expect(held).toBe(2000);
  await stop();
});
