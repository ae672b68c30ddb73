/**
 * Peers: other programs that do the same job on the same machine. One that cannot be had costs its figures, nothing else.
 */

/** A peer that this machine may have: T is what it can be asked to do. */
export interface Peer<T> {
  /** Why it cannot be had here, undefined when it can. */
  missing(): string | undefined;
  /** Makes it ready; `close` gives back what that took. */
  open(): Promise<T & { close?(): void }>;
}

type Opened<P> = { [K in keyof P]: P[K] extends Peer<infer T> ? T | undefined : never };

const told = new Set<string>();

/** Says once why figures are missing. */
function tell(name: string, reason: string): void {
  const text = `no figures of ${name}: ${reason}\n`;
  if (told.has(text)) return;
  told.add(text);
  process.stderr.write(text);
}

/** Calls `work` with the peers by the same names, undefined for those that cannot be had, after saying so on the standard error. They are closed when it ends, in whichever way. */
export async function withPeers<P extends Readonly<Record<string, Peer<object>>>, T>(
  peers: P,
  work: (opened: Opened<P>) => Promise<T>,
): Promise<T> {
  const opened: Record<string, (object & { close?(): void }) | undefined> = {};
  try {
    for (const [name, peer] of Object.entries(peers)) {
      const missing = peer.missing();
      if (missing !== undefined) {
        tell(name, missing);
        continue;
      }
      try {
        opened[name] = await peer.open();
      } catch (error) {
        tell(name, error instanceof Error ? error.message : String(error));
      }
    }
    return await work(opened as Opened<P>);
  } finally {
    for (const peer of Object.values(opened)) peer?.close?.();
  }
}
