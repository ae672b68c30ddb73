// The words of journeys for what a packet filter decided are read back whole.
import { expect, test } from 'vitest';
import { filterText, readFilterText } from '../../../main/lab/filter-station.ts';

test.each([
  [0, { pass: true, byState: false, rule: undefined, inAnchor: false }],
  [2, { pass: true, byState: true, rule: undefined, inAnchor: false }],
  [(1 << 3) | 1, { pass: false, byState: false, rule: 0, inAnchor: false }],
  [(13 << 3) | 2, { pass: true, byState: true, rule: 12, inAnchor: false }],
  [(3 << 3) | 4 | 1, { pass: false, byState: false, rule: 2, inAnchor: true }],
  [(3 << 3) | 6, { pass: true, byState: true, rule: 2, inAnchor: true }],
])('the words for decision %i say it whole', (detail, decision) => {
  expect(readFilterText(filterText(detail))).toEqual(decision);
});
