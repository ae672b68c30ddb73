// Hostile rule sets in the firewall itself: broken files and files of a megabyte are loaded or refused, and nothing is left of them when they are replaced.
import { expect, test } from 'vitest';
import { loadRuleSet } from '../../../stack/filter/pf/load.ts';
import { parsePfConf } from '../../../stack/filter/pf/parse.ts';
import type { PfGeneration } from '../../../stack/filter/pf/ruleset.ts';
import { slabReports } from '../../../stack/memory/slab.ts';
import { SystemError } from '../../../stack/runtime/messages/errno.ts';
import { HUGE } from '../filter/pf/huge.ts';
import { mutated } from '../filter/pf/mutating.ts';
import { machine } from '../filter/pf/reading.ts';
import { INSIDE, OUTSIDE, datagram, inside, ioctl, load, outside, passes, useFirewall } from './firewall.ts';

useFirewall();

const FILES = 20_000;
/** A file of a megabyte is read and loaded, or refused, within this time, ms. */
const SOON = 10_000;
const GENERATIONS: readonly PfGeneration[] = ['3.7', '4.2'];

/** Loads a file if it is right: 'refused' by the parser or by PF. */
async function tryToLoad(text: string, generation: PfGeneration): Promise<'loaded' | 'refused'> {
  const parsed = parsePfConf(text, machine, { generation, readFile: () => undefined });
  if ('errors' in parsed) return 'refused';
  try {
    await loadRuleSet(parsed.ruleSet, ioctl, { anchor: '' });
    return 'loaded';
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return 'refused';
  }
}

/** Records of rules, anchors, tables and their addresses, and pages of text, in use; what is known of interfaces stays. */
const held = (): Record<string, number> =>
  Object.fromEntries(
    slabReports()
      .filter(({ name }) => name.startsWith('pf') && name !== 'pfkif')
      .map(({ name, inUse }) => [name, inUse]),
  );

/** Empties what is behind an anchor. */
async function empty(anchor: string): Promise<void> {
  const { names } = await ioctl('DIOCGETRULESETS', { anchor });
  for (const name of names) await empty(anchor === '' ? name : `${anchor}/${name}`);
  if (anchor !== '') await load('', '4.2', anchor);
}

/** A plain rule set in place of all that was loaded. */
async function reset(): Promise<void> {
  await load('set limit { states 10000, frags 5000, src-nodes 10000 }\npass all\n');
  await empty('');
  await ioctl('DIOCSETSKIP', { interfaces: [] });
  await ioctl('DIOCCLRSTATES', {});
  for (const { anchor, name } of await ioctl('DIOCRGETTSTATS', { anchor: '' }))
    await ioctl('DIOCRDELTABLES', { anchor, table: name });
}

test(`${FILES} broken files leave nothing behind`, async () => {
  await reset();
  const before = held();
  const outcomes = { loaded: 0, refused: 0 };
  for (let seed = 1; seed <= FILES; seed++) {
    const outcome = await tryToLoad(mutated(seed), GENERATIONS[seed % 2]!);
    outcomes[outcome]++;
    if (outcome === 'loaded') await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 53), outside);
  }
  expect(outcomes.loaded).toBeGreaterThan(100);
  await reset();
  const { pfpage: pages, ...others } = held();
  const { pfpage: pagesBefore, ...othersBefore } = before;
  expect(others).toEqual(othersBefore);
  // Names of tags and queues keep their numbers, and the table of states its size.
  expect(pages! - pagesBefore!).toBeLessThan(300);
  expect(await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 53), outside)).toBe(true);
});

test.each(Object.keys(HUGE))(
  'a megabyte of %s is loaded or refused soon, and gone when it is replaced',
  async (name) => {
    await reset();
    const before = held();
    for (const generation of GENERATIONS) {
      const begun = performance.now();
      await tryToLoad(HUGE[name]!, generation);
      expect(performance.now() - begun).toBeLessThan(SOON);
      await passes(inside, datagram(INSIDE, 4000, OUTSIDE, 53), outside);
    }
    await reset();
    const { pfpage: pages, ...others } = held();
    const { pfpage: pagesBefore, ...othersBefore } = before;
    expect(others).toEqual(othersBefore);
    expect(pages! - pagesBefore!).toBeLessThan(300);
  },
);
