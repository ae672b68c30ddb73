/**
 * What peers need of this machine, and the Debian packages that have it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** A program (a bare name) or a file (an absolute path), and the Debian package it comes from. */
export interface Need {
  readonly what: string;
  readonly debianPackage: string;
}

function isThere({ what }: Need): boolean {
  if (what.startsWith('/')) return existsSync(what);
  return spawnSync(what, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** Why a peer cannot be had, with the Debian packages that it lacks; undefined when nothing is missing. */
export function missingTools(needs: readonly Need[]): string | undefined {
  const missing = needs.filter((need) => !isThere(need));
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map(({ debianPackage }) => debianPackage))];
  return `${missing.map(({ what }) => what).join(', ')} missing (Debian: apt-get install ${packages.join(' ')}, or --install)`;
}

/** Installs the Debian packages of what is missing. Throws, with a reason, where that is not possible. */
export function installTools(needs: readonly Need[]): void {
  const missing = needs.filter((need) => !isThere(need));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) throw new Error('--install: only root can install packages');
  if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).error !== undefined)
    throw new Error('--install: there is no apt-get: this works on Debian');
  const packages = [...new Set(missing.map(({ debianPackage }) => debianPackage))];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const argv of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
    // What it says goes to the standard error: the standard output is for the rows.
    const { status } = spawnSync('apt-get', ['-qq', ...argv], { env, stdio: ['ignore', 2, 2] });
    if (status !== 0) throw new Error(`--install: apt-get ${argv.join(' ')} ended with status ${status}`);
  }
}
