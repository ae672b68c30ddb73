// What a test needs from the system: programs, privilege, network namespaces, a TAP. A test that cannot have it is skipped and
// says why; with STACKSCOPE_REQUIRE_ALL=1 (continuous integration) a missing thing is a failure instead.
import { spawnSync } from 'node:child_process';
import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Requirements {
  /** Programs that must be on the PATH; `chromium` is satisfied by any browser of that family. */
  readonly tools?: readonly string[];
  /** The test must run as root. */
  readonly root?: boolean;
  /** The test must be able to make a network namespace. */
  readonly netns?: boolean;
  /** /dev/net/tun must open. */
  readonly tun?: boolean;
}

/** Other names under which a program may be installed. */
const alternatives: Readonly<Record<string, readonly string[]>> = {
  chromium: ['chromium', 'chromium-browser', 'google-chrome'],
};
/** The Debian package of a program, where its name is another. */
const packages: Readonly<Record<string, string>> = {
  scapy: 'python3-scapy',
  ip: 'iproute2',
  tc: 'iproute2',
  ping: 'iputils-ping',
  setpriv: 'util-linux',
  unshare: 'util-linux',
};

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The absolute path of `tool`, or undefined when it is not installed. Looks in the system folders as well as in the PATH. */
export function findTool(tool: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'].filter(Boolean);
  const names = alternatives[tool] ?? [tool];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function opensTun(): boolean {
  try {
    closeSync(openSync('/dev/net/tun', 'r+'));
    return true;
  } catch {
    return false;
  }
}

function firstMissing({ tools = [], root, netns, tun }: Requirements): string | undefined {
  for (const tool of tools) {
    if (findTool(tool) === undefined) return `${tool} is not installed (Debian: ${packages[tool] ?? tool})`;
  }
  if (root === true && process.getuid?.() !== 0) return 'must run as root';
  if (netns === true && spawnSync('unshare', ['--net', 'true']).status !== 0) {
    return 'cannot make a network namespace (unshare --net)';
  }
  if (tun === true && !opensTun()) return 'cannot open /dev/net/tun';
  return undefined;
}

/**
 * Tells whether this machine has what a test needs: `describe.skipIf(requires({ tools: ['tshark'], root: true }))`.
 *
 * @returns undefined when everything is there, otherwise the reason to skip, which is also printed.
 * @throws Error with that reason when STACKSCOPE_REQUIRE_ALL is 1.
 */
export function requires(requirements: Requirements): string | undefined {
  const reason = firstMissing(requirements);
  if (reason === undefined) return undefined;
  if (process.env['STACKSCOPE_REQUIRE_ALL'] === '1')
    throw new Error(`STACKSCOPE_REQUIRE_ALL=1, but ${reason}`);
  printSkipReason(reason);
  return reason;
}

/** Prints why tests are skipped. The test configuration shows equal lines of one run once. */
export function printSkipReason(reason: string): void {
  console.log(`skipped: ${reason}`);
}
