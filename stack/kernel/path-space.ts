/**
 * The path space of a node: prefixes that resource managers have registered, as procnto keeps them on Neutrino.
 * A path belongs to the manager with the longest prefix; the rest of the path is the manager's own business.
 */

/** Where messages for a prefix go: a channel of a process (`nd` 0: of this node), and the manager's name for the attach point. */
export interface PathServer {
  readonly nd: number;
  readonly pid: number;
  readonly chid: number;
  readonly handle: number;
}

/** A registered prefix that a path lies under. */
export interface Resolution {
  readonly prefix: string;
  readonly server: PathServer;
  /** The path below the prefix, without a leading slash; empty when the path is the prefix itself. */
  readonly rest: string;
}

export interface PathSpace {
  /** Registers a prefix; one registered later hides an earlier one until it is unregistered. */
  register(prefix: string, server: PathServer): void;
  unregister(prefix: string, server: PathServer): void;
  /** The longest registered prefix of an absolute, normalized path. */
  resolve(path: string): Resolution | undefined;
  /** Names directly below `path` that lead to registered prefixes: dev, proc ... below /. */
  childrenOf(path: string): string[];
  prefixes(): string[];
}

/** An absolute path without `.`, `..`, empty parts and trailing slash, taken relative to `cwd`. */
export function normalizePath(cwd: string, path: string): string {
  const parts: string[] = [];
  const full = path.startsWith('/') ? path : `${cwd}/${path}`;
  for (const part of full.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function isBelow(path: string, prefix: string): boolean {
  return prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);
}

export function createPathSpace(): PathSpace {
  const table = new Map<string, PathServer[]>();
  return {
    register(prefix, server) {
      const key = normalizePath('/', prefix);
      table.set(key, [server, ...(table.get(key) ?? [])]);
    },
    unregister(prefix, server) {
      const key = normalizePath('/', prefix);
      const left = (table.get(key) ?? []).filter((other) => other !== server);
      if (left.length === 0) table.delete(key);
      else table.set(key, left);
    },
    resolve(path) {
      for (let prefix = path; ; prefix = prefix.slice(0, prefix.lastIndexOf('/')) || '/') {
        const server = table.get(prefix)?.[0];
        if (server !== undefined) {
          return { prefix, server, rest: path.slice(prefix === '/' ? 1 : prefix.length + 1) };
        }
        if (prefix === '/') return undefined;
      }
    },
    childrenOf(path) {
      const names = new Set<string>();
      for (const prefix of table.keys()) {
        if (prefix === path || !isBelow(prefix, path)) continue;
        names.add(prefix.slice(path === '/' ? 1 : path.length + 1).split('/')[0]!);
      }
      return [...names].sort();
    },
    prefixes: () => [...table.keys()].sort(),
  };
}
