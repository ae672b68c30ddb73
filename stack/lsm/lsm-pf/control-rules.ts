/** The calls of /dev/pf that read rules (pf(4); filter/pf/ioctl.ts). */
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import type { PfControlIn, PfControlOut } from '../../filter/pf/ioctl.ts';
import { clearRule, ruleInfo } from './info.ts';
import { anchors, lists } from './records.ts';
import type { Pf } from './records.ts';
import { addUpEvaluations } from './rule-list.ts';
import { findAnchor } from './transaction.ts';
import { PART, anchorPath, anchorsBelow, eachAnchor, eachList, listOfAnchor, rulesAt } from './view.ts';

/** Most rules in one call, and most states. */
export const MOST_IN_CALL = 1000;

/** The rules of one part of an anchor, a stretch of them, with their counters. @throws SystemError ENOENT for an anchor that is not there. */
export function getRules(
  pf: Pf,
  { anchor, part, first, count, clear }: PfControlIn<'DIOCGETRULES'>,
): PfControlOut<'DIOCGETRULES'> {
  const ptr = findAnchor(pf, anchor);
  if (ptr === 0 && anchor !== '' && !isNamed(pf, anchor))
    throw new SystemError(ERRNO.ENOENT, `anchor ${anchor}`);
  const rules = rulesAt(pf, anchor, PART[part])?.rules ?? [];
  const list = ptr === 0 ? 0 : listOfAnchor(anchors.get(ptr), PART[part]);
  addUpEvaluations(rules);
  const wanted = rules.slice(first, first + Math.min(count, MOST_IN_CALL));
  const infos = list === 0 ? [] : wanted.map((rule) => ruleInfo(lists.get(list), rule));
  if (clear === true) wanted.forEach(clearRule);
  return { total: rules.length, rules: infos };
}

/** True for an anchor that a rule of the one above leads to: it is there without rules of its own, too. */
function isNamed(pf: Pf, anchor: string): boolean {
  const slash = anchor.lastIndexOf('/');
  return ruleSets(pf, anchor.slice(0, Math.max(0, slash))).includes(anchor.slice(slash + 1));
}

/** Sets the counters of all rules to 0. */
export function clearRules(pf: Pf): void {
  eachList(pf, (rules) => {
    addUpEvaluations(rules);
    rules.forEach(clearRule);
  });
}

/** Anchors with rules, and those that rules lead to. */
export function ruleSets(pf: Pf, path: string): string[] {
  const below = new Set(anchorsBelow(pf, path).map((one) => one.slice(path === '' ? 0 : path.length + 1)));
  for (const part of Object.values(PART))
    for (const { source } of rulesAt(pf, path, part)?.rules ?? []) {
      const name =
        source.anchor
          ?.replace(/\/?\*$/, '')
          .replace(/^\//, '')
          .split('/')[0] ?? '';
      if (name !== '') below.add(name);
    }
  const used = [...below].filter((name) => isUsed(pf, path === '' ? name : `${path}/${name}`, path, name));
  return used.sort();
}

/** True for an anchor that has rules, here or further down, or that a rule of the anchor above names. */
function isUsed(pf: Pf, full: string, above: string, name: string): boolean {
  const named = Object.values(PART).some((part) =>
    (rulesAt(pf, above, part)?.rules ?? []).some(({ source }) => source.anchor?.startsWith(name) === true),
  );
  if (named) return true;
  let found = false;
  eachAnchor(pf, (anchor) => {
    const path = anchorPath(anchor);
    if (path !== full && !path.startsWith(`${full}/`)) return;
    found ||= Object.values(PART).some((part) => (rulesAt(pf, path, part)?.rules.length ?? 0) > 0);
  });
  return found;
}
