/** The program itself, serving a lab: `stackscope serve` in a process of its own, as a user starts it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

const repository = join(import.meta.dirname, '..', '..', '..');
/** Milliseconds until the address must have been printed. */
const startTimeout = 30_000;

export interface ServedLab {
  /** The address with its token. */
  readonly url: string;
  /** Ends the program as Ctrl-C does and resolves to its exit status. */
  stop(): Promise<number | null>;
}

export function exampleLab(name: string): string {
  return join(repository, 'main', 'examples', `${name}.lab.yaml`);
}

/** @throws Error with what the program wrote if it does not print an address. */
export async function serveLab(labFile: string, ...options: readonly string[]): Promise<ServedLab> {
  const cli = join(repository, 'dist', 'main', 'cli.js');
  const child = spawn(process.execPath, [cli, 'serve', labFile, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const url = await printedAddress(child);
  return {
    url,
    stop: () => {
      child.kill('SIGINT');
      return exited;
    },
  };
}

function printedAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    const fail = (reason: string): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`stackscope serve ${reason}: ${output}`));
    };
    const timer = setTimeout(() => fail('printed no address'), startTimeout);
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const address = /http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]+/.exec(output)?.[0];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.on('exit', (status) => fail(`ended with ${status}`));
  });
}
