/** Paths of anchors (pf.conf(5), ANCHORS): names with `/` between them, below the main rule set, which is ''. */

/** Path of an anchor that a rule in another one names; `/name` is below the main rule set. */
export function anchorPath(parent: string, name: string): string {
  if (name.startsWith('/')) return name.slice(1);
  return parent === '' ? name : `${parent}/${name}`;
}
