/**
 * Builds the programs of peers from their sources in this folder into a temporary folder that goes with the bench. One that several benches use is built once.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { endsWithBench } from '../children.ts';
import type { Need } from './tools.ts';

const execute = promisify(execFile);
/** The compiled bench is in dist/bench/test/bench/peer. */
const sources = fileURLToPath(new URL('../../../../../test/bench/peer/', import.meta.url));
/** The first build of a Go program compiles the packages it uses; `go` keeps them. */
const LONGEST_BUILD_MS = 300_000;

export const C_COMPILER: readonly Need[] = [
  { what: 'cc', debianPackage: 'gcc' },
  { what: '/usr/include/stdio.h', debianPackage: 'libc6-dev' },
];

let folder: string | undefined;
function buildFolder(): string {
  if (folder !== undefined) return folder;
  const made = mkdtempSync(join(tmpdir(), 'stackscope-peers-'));
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  return (folder = made);
}

const built = new Map<string, Promise<string>>();

/** Runs a compiler once per program and resolves to the program's path. */
function once(name: string, compile: (program: string) => Promise<unknown>): Promise<string> {
  const before = built.get(name);
  if (before !== undefined) return before;
  const program = join(buildFolder(), name);
  const building = compile(program).then(() => program);
  built.set(name, building);
  return building;
}

async function run(compiler: string, argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const running = execute(compiler, argv, { cwd: sources, env, timeout: LONGEST_BUILD_MS });
  endsWithBench(running.child);
  await running;
}

/** Compiles NAME.c. Rejects with what the compiler printed. */
export function buildC(name: string, flags: readonly string[] = []): Promise<string> {
  return once(name, (program) => run('cc', ['-O2', ...flags, '-o', program, `${name}.c`]));
}

/** Compiles the Go program in the folder NAME with the packages that Debian installs as sources. Rejects with what the compiler printed. */
export function buildGo(name: string): Promise<string> {
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '' };
  return once(name, (program) => run('go', ['build', '-o', program, `./${name}`], env));
}

/** Runs a program that prints one figure. Rejects with what it printed on its standard error. */
export async function figureOf(program: string, argv: readonly string[]): Promise<number> {
  const running = execute(program, argv, { timeout: LONGEST_BUILD_MS });
  endsWithBench(running.child);
  const { stdout } = await running;
  const figure = Number(stdout);
  if (stdout.trim() === '' || !Number.isFinite(figure)) throw new Error(`${program} printed '${stdout}'`);
  return figure;
}
