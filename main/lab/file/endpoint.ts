/**
 * The words a lab file points with: link ends (`node:if`, `switch`, `switch:port`, `port`), directions
 * (`alpha->beta`, `alpha->*`) and capture points (`all`, `link:NAME`, `NODE:IF`).
 */

/** A link end as written: the text, the name before the colon, and what follows it (interface or switch port). */
export interface EndpointText {
  readonly text: string;
  readonly name: string;
  readonly sub: string | undefined;
}

/** Splits `name` or `name:sub`; undefined when the text is neither. */
export function parseEndpoint(text: string): EndpointText | undefined {
  const match = /^([^\s:>]+)(?::([^\s:>]+))?$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  return { text, name: match[1], sub: match[2] };
}

/** Whether a key of a link is meant as a direction. */
export function isDirectionKey(key: string): boolean {
  return key.includes('->');
}

/** What finding a link's end by its short or full name gave. */
export type EndMatch = { readonly index: number } | { readonly candidates: readonly number[] };

/**
 * Finds the end of a link that a direction names: by its full text (`alpha:en0`), or by its name alone where that is unique.
 * @returns its index, or all candidates when there is none or more than one
 */
export function findEnd(ends: readonly EndpointText[], wanted: string): EndMatch {
  const exact = ends.findIndex((end) => end.text === wanted);
  if (exact >= 0) return { index: exact };
  const named = ends.flatMap((end, index) => (end.name === wanted ? [index] : []));
  const only = named[0];
  return only !== undefined && named.length === 1 ? { index: only } : { candidates: named };
}

/** A direction key's two sides, trimmed. `to` is `*` for "whatever this end sends". */
export interface DirectionText {
  readonly from: string;
  readonly to: string;
}

/** Splits `from->to`; undefined when a side is missing or there is more than one arrow. */
export function parseDirection(key: string): DirectionText | undefined {
  const sides = key.split('->').map((side) => side.trim());
  const [from, to] = sides;
  return sides.length === 2 && from && to ? { from, to } : undefined;
}

/** Where a capture listens. */
export type CapturePoint =
  | { readonly kind: 'all' }
  | { readonly kind: 'link'; readonly link: string }
  | { readonly kind: 'interface'; readonly node: string; readonly interface: string };

/** Reads `all`, `link:NAME` or `NODE:IF`; undefined when the text is none of them. */
export function parseCapturePoint(text: string): CapturePoint | undefined {
  if (text === 'all') return { kind: 'all' };
  const end = parseEndpoint(text);
  if (end?.sub === undefined) return undefined;
  if (end.name === 'link') return { kind: 'link', link: end.sub };
  return { kind: 'interface', node: end.name, interface: end.sub };
}
