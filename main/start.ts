/**
 * `npm start`: the example lab in a window. Electron where its binary is or can be fetched; otherwise the same
 * application in the default browser, or just its address where there is none. Arguments are passed on: a lab file.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How long the one-time download of Electron's binary may take, in milliseconds. */
const fetchTimeout = 60_000;

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const electronFolder = join(root, 'node_modules', 'electron');
const exampleLab = join(root, 'main', 'examples', 'two-nodes.lab.yaml');

/** The installed Electron program; its package notes the name per platform in `path.txt`. */
function electronBinary(): string | undefined {
  const note = join(electronFolder, 'path.txt');
  if (!existsSync(note)) return undefined;
  const binary = join(electronFolder, 'dist', readFileSync(note, 'utf8').trim());
  return existsSync(binary) ? binary : undefined;
}

/** Electron's package no longer downloads its binary when it is installed; its own script does. */
function fetchElectron(): void {
  const script = join(electronFolder, 'install.js');
  if (!existsSync(script)) return;
  process.stdout.write('Fetching the Electron binary (once)…\n');
  spawnSync(process.execPath, [script], { stdio: 'ignore', timeout: fetchTimeout });
}

/** Electron on Linux needs a display server. */
function hasDisplay(): boolean {
  return process.platform !== 'linux' || (process.env.DISPLAY ?? process.env.WAYLAND_DISPLAY) !== undefined;
}

function startElectron(binary: string, labs: readonly string[]): void {
  // Chromium's sandbox refuses to run as root.
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const child = spawn(binary, [...asRoot, root, ...labs], { stdio: 'inherit' });
  child.on('exit', (code) => process.exit(code ?? 1));
}

function startWeb(reason: string, labs: readonly string[]): void {
  process.stdout.write(`${reason}: serving the same application to a browser instead.\n`);
  const cli = join(root, 'dist', 'main', 'cli.js');
  const child = spawn(process.execPath, [cli, 'serve', '--open', ...labs], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  child.on('exit', (code) => process.exit(code ?? 1));
}

function start(): void {
  const given = process.argv.slice(2);
  const labs = given.length > 0 ? given : [exampleLab];
  if (!hasDisplay()) return startWeb('There is no display for a window', labs);
  if (electronBinary() === undefined) fetchElectron();
  const binary = electronBinary();
  if (binary === undefined) return startWeb('The Electron binary cannot be had here', labs);
  startElectron(binary, labs);
}

start();
