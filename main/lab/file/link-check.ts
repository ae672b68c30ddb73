/**
 * Checks of links against what they join: every end must exist and be used once, every direction must name an end.
 */
import type { Draft, DraftLink } from './draft.ts';
import { findEnd, isDirectionKey, parseDirection, type EndpointText } from './endpoint.ts';
import type { ShapeProblem } from './shape.ts';
import { MAX_LINK_ENDS } from './schema.ts';
import type { Suggest } from '../../../stack/kernel/suggest.ts';

/** Every problem of the ends and directions of links. */
export function checkLinks(draft: Draft, suggest: Suggest): ShapeProblem[] {
  const problems: ShapeProblem[] = [];
  const used = new Map<string, string>();
  const onSwitch = new Map<string, number>();
  for (const [name, link] of draft.links) {
    (link.ends ?? []).forEach((end, index) => {
      if (end === undefined || !draft.namesKnown) return;
      const text =
        (link.serial ? serialEndText(end, draft, suggest) : endText(end, draft, suggest)) ??
        usedText(end, draft, name, used) ??
        fullText(end, draft, onSwitch);
      if (text !== undefined) problems.push({ path: ['links', name, 'between', index], at: 'value', text });
    });
    for (const problem of checkDirections(name, link, suggest)) problems.push(problem);
    if (link.serial) problems.push(...checkSerial(name, link));
  }
  return problems;
}

/** Why an end is no port for a serial line: those need no list, they are there when a link names them. */
function serialEndText(end: EndpointText, draft: Draft, suggest: Suggest): string | undefined {
  const port = SERIAL_PORT.test(end.sub ?? '') && !draft.switches.has(end.name) && !draft.ports.has(end.name);
  if (!port) return `must be a serial port of a node, as in ${end.name}:ser1`;
  return draft.nodes.has(end.name)
    ? undefined
    : `there is no node ${end.name}${suggest(end.name, draft.nodes.keys())}`;
}
const SERIAL_PORT = /^ser\d{1,3}$/;

/** What a serial line has no use for, and why. */
const NOT_SERIAL: Readonly<Record<string, string>> = {
  mtu: 'a serial line has no packets; set the mtu of the interfaces on it',
  rate: 'the rate of a serial line is its baud; write serial: {baud: …}',
  jitter: 'bytes of a serial line follow each other',
  reorder: 'bytes of a serial line follow each other',
  duplicate: 'bytes of a serial line arrive once',
};

function checkSerial(name: string, link: DraftLink): ShapeProblem[] {
  const unfit = (path: ShapeProblem['path'], keys: readonly string[]): ShapeProblem[] =>
    keys.flatMap((key): ShapeProblem[] =>
      Object.hasOwn(NOT_SERIAL, key)
        ? [{ path: [...path, key], at: 'key', text: `cannot be here: ${NOT_SERIAL[key]!}` }]
        : [],
    );
  const path = ['links', name];
  const ends = link.ends?.length ?? 2;
  const count: ShapeProblem[] =
    ends > 2
      ? [{ path: [...path, 'between'], at: 'value', text: `a serial line has two ends, not ${String(ends)}` }]
      : [];
  const directions = [...link.directionKeys].flatMap(([key, keys]) => unfit([...path, key], keys));
  return [...count, ...unfit(path, link.keys), ...directions];
}

/** Why an end does not exist. */
function endText(end: EndpointText, draft: Draft, suggest: Suggest): string | undefined {
  if (draft.nodes.has(end.name)) return nodeEndText(end, draft.nodes.get(end.name));
  if (draft.switches.has(end.name)) {
    const ports = draft.switches.get(end.name);
    if (end.sub === undefined || ports === undefined || ports.includes(end.sub)) return undefined;
    return `switch ${end.name} has no port ${end.sub}; it has ${shortList(ports)}`;
  }
  if (draft.ports.has(end.name)) {
    return end.sub === undefined
      ? undefined
      : `${end.name} is a port and has no interfaces; write just ${end.name}`;
  }
  return `there is no node, switch or port ${end.name}${suggest(end.name, allNames(draft))}`;
}

function* allNames(draft: Draft): Iterable<string> {
  yield* draft.nodes.keys();
  yield* draft.switches.keys();
  yield* draft.ports.keys();
}

function nodeEndText(end: EndpointText, interfaces: readonly string[] | undefined): string | undefined {
  const first = interfaces?.[0] ?? 'en0';
  if (end.sub === undefined) return `must name an interface of node ${end.name}, as in ${end.name}:${first}`;
  if (interfaces === undefined || interfaces.includes(end.sub)) return undefined;
  return `node ${end.name} has no interface ${end.sub}; it has ${shortList(interfaces)}`;
}

/** Why an end cannot be used a second time. A switch without a port can: it gets the next free one. */
function usedText(
  end: EndpointText,
  draft: Draft,
  link: string,
  used: Map<string, string>,
): string | undefined {
  if (end.sub === undefined && draft.switches.has(end.name)) return undefined;
  const other = used.get(end.text);
  used.set(end.text, other ?? link);
  if (other === undefined) return undefined;
  return `${end.text} is already on ${other === link ? 'this link' : `link ${other}`}; it can have one link`;
}

/** Why a switch has no port left for this end. */
function fullText(end: EndpointText, draft: Draft, onSwitch: Map<string, number>): string | undefined {
  const ports = draft.switches.get(end.name);
  if (!draft.switches.has(end.name)) return undefined;
  const count = (onSwitch.get(end.name) ?? 0) + 1;
  onSwitch.set(end.name, count);
  if (ports === undefined || count <= ports.length) return undefined;
  return `switch ${end.name} has only ${String(ports.length)} ports, and this is link end number ${String(count)}`;
}

function checkDirections(name: string, link: DraftLink, suggest: Suggest): ShapeProblem[] {
  if (link.ends === undefined || link.ends.length < 2 || link.ends.length > MAX_LINK_ENDS) return [];
  const ends = link.ends.filter((end) => end !== undefined);
  if (ends.length < link.ends.length) return [];
  const problems: ShapeProblem[] = [];
  const senders = new Map<number, string>();
  for (const key of link.keys.filter(isDirectionKey)) {
    const read = readDirection(key, ends, suggest);
    const path = ['links', name, key];
    if (typeof read === 'string') {
      problems.push({ path, at: 'key', text: read });
      continue;
    }
    const other = senders.get(read);
    if (other === undefined) senders.set(read, key);
    else problems.push({ path, at: 'key', text: `is the same direction as ${other}; keep one of them` });
  }
  return problems;
}

/**
 * The index of the sending end that a direction key means, or why it means none.
 */
export function readDirection(
  key: string,
  ends: readonly EndpointText[],
  suggest: Suggest = () => '',
): number | string {
  const direction = parseDirection(key);
  if (direction === undefined) return 'must be written as FROM->TO or FROM->*';
  const from = findEnd(ends, direction.from);
  if (!('index' in from)) return directionText(direction.from, from.candidates, ends, suggest);
  if (direction.to === '*') return from.index;
  const to = findEnd(ends, direction.to);
  if (!('index' in to)) return directionText(direction.to, to.candidates, ends, suggest);
  if (to.index === from.index) return 'must lead from one end to another';
  if (ends.length > 2) {
    return `names one receiver, but a link with ${String(ends.length)} ends is a hub, which sends to all; write ${direction.from}->*`;
  }
  return from.index;
}

function directionText(
  wanted: string,
  candidates: readonly number[],
  ends: readonly EndpointText[],
  suggest: Suggest,
): string {
  if (candidates.length > 0) {
    const full = candidates.map((index) => ends[index]?.text ?? '');
    return `${wanted} is on this link more than once; write ${full.slice(0, 8).join(' or ')}`;
  }
  const names = ends.flatMap((end) => [end.name, end.text]);
  return `${wanted} is not an end of this link; its ends are ${shortList(ends.map((end) => end.text))}${suggest(wanted, names)}`;
}

function shortList(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  return names.length > 8 ? `${names.slice(0, 8).join(', ')}, …` : names.join(', ');
}
