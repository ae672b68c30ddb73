/**
 * Checks between the values of a lab file: names that must exist, be unique or be used once.
 */
import { filterProblem } from '../../capture/filter.ts';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../../capture/link-type.ts';
import type { Draft } from './draft.ts';
import { parseCapturePoint } from './endpoint.ts';
import { checkLinks } from './link-check.ts';
import { parseHostAddress } from './ipv4.ts';
import { pseudoLinkType } from './pseudo-interfaces.ts';
import type { ShapeProblem } from './shape.ts';
import { suggestions, type Suggest } from '../../../stack/kernel/suggest.ts';

/** Longer lists than this the schema refuses. */
const MAX_LIST = 4096;

/** Every problem between the values of a lab. */
export function crossCheck(draft: Draft): ShapeProblem[] {
  const suggest = suggestions();
  return [
    ...checkNames(draft),
    ...checkLists(draft),
    ...checkPorts(draft),
    ...checkLinks(draft, suggest),
    ...checkCaptures(draft, suggest),
  ];
}

function checkNames(draft: Draft): ShapeProblem[] {
  const problems: ShapeProblem[] = [];
  const taken = new Map<string, string>();
  const sections = [
    ['nodes', draft.nodes.keys()],
    ['ports', draft.ports.keys()],
    ['switches', draft.switches.keys()],
  ] as const;
  for (const [section, names] of sections) {
    for (const name of names) {
      const other = taken.get(name);
      const path = [section, name];
      if (other !== undefined)
        problems.push({ path, at: 'key', text: `is already the name of one of the ${other}; use another` });
      else taken.set(name, section);
      if (name === 'link' || name === 'all') {
        problems.push({
          path,
          at: 'key',
          text: `cannot be a name: captures use "${name}" for something else`,
        });
      }
    }
  }
  return problems;
}

function checkLists(draft: Draft): ShapeProblem[] {
  const problems: ShapeProblem[] = [];
  for (const [node, interfaces = []] of draft.nodes) {
    const path = ['nodes', node, 'interfaces'];
    problems.push(...checkRepeats(interfaces, path));
    interfaces.forEach((name, index) => {
      if (!/^lo\d+$/.test(name)) return;
      const text = `${name} is a loopback interface, which every stack makes itself`;
      problems.push({ path: [...path, index], at: 'value', text });
    });
  }
  for (const [name, ports = []] of draft.switches)
    problems.push(...checkRepeats(ports, ['switches', name, 'ports']));
  return problems;
}

function checkRepeats(names: readonly string[], path: ShapeProblem['path']): ShapeProblem[] {
  const seen = new Set<string>();
  return names.slice(0, MAX_LIST).flatMap((name, index): ShapeProblem[] => {
    if (seen.has(name)) return [{ path: [...path, index], at: 'value', text: `${name} is listed twice` }];
    seen.add(name);
    return [];
  });
}

function checkPorts(draft: Draft): ShapeProblem[] {
  const problems: ShapeProblem[] = [];
  const taps = new Map<string, string>();
  for (const [name, { tap, address }] of draft.ports) {
    const other = tap === undefined ? undefined : taps.get(tap);
    if (other !== undefined) {
      problems.push({
        path: ['ports', name, 'tap'],
        at: 'value',
        text: `${String(tap)} is already opened by port ${other}`,
      });
    } else if (tap !== undefined) {
      taps.set(tap, name);
    }
    if (address === undefined || !/^[\d.]+\/\d+$/.test(address)) continue;
    const read = parseHostAddress(address);
    if (!read.ok)
      problems.push({ path: ['ports', name, 'address'], at: 'value', text: `${address} ${read.reason}` });
  }
  return problems;
}

function checkCaptures(draft: Draft, suggest: Suggest): ShapeProblem[] {
  const problems: ShapeProblem[] = [];
  const files = new Map<string, string>();
  for (const [name, { at, file, filter }] of draft.captures) {
    const text = at === undefined ? undefined : capturePointText(at, draft, suggest);
    if (text !== undefined) problems.push({ path: ['captures', name, 'at'], at: 'value', text });
    const wrong = filter === undefined ? undefined : filterProblem(filter, linkTypesAt(at ?? 'all', draft));
    if (wrong !== undefined) problems.push({ path: ['captures', name, 'filter'], at: 'value', text: wrong });
    if (file === undefined) continue;
    const other = files.get(file);
    if (other !== undefined)
      problems.push({
        path: ['captures', name, 'file'],
        at: 'value',
        text: `${file} is already written by ${other}`,
      });
    else files.set(file, name);
  }
  return problems;
}

/** The link types of what a capture sees. */
function linkTypesAt(at: string, draft: Draft): ReadonlySet<number> {
  const point = parseCapturePoint(at);
  if (point?.kind === 'interface') return new Set([pseudoLinkType(point.interface) ?? LINKTYPE_ETHERNET]);
  const links = [...draft.links].filter(([name]) => point?.kind !== 'link' || name === point.link);
  return new Set(links.map(([, { serial }]) => (serial ? LINKTYPE_RAW : LINKTYPE_ETHERNET)));
}

function capturePointText(at: string, draft: Draft, suggest: Suggest): string | undefined {
  const point = parseCapturePoint(at);
  if (point?.kind === 'link' && !draft.links.has(point.link)) {
    return `there is no link ${point.link}${suggest(point.link, draft.links.keys())}`;
  }
  if (point?.kind !== 'interface' || !draft.namesKnown) return undefined;
  if (!draft.nodes.has(point.node))
    return `there is no node ${point.node}${suggest(point.node, draft.nodes.keys())}`;
  const interfaces = draft.nodes.get(point.node);
  if (interfaces === undefined || interfaces.includes(point.interface)) return undefined;
  if (pseudoLinkType(point.interface) !== undefined) return undefined;
  return `node ${point.node} has no interface ${point.interface}; it has ${interfaces.join(', ') || 'none'}`;
}
