#!/usr/bin/env node
/**
 * The `stackscope` command: its verbs, and how failures are told. Exit status 0: done; 1: it failed; 2: wrong usage or bad input.
 */
import { Command } from 'commander';
import { bpfCommand } from './cli/bpf.ts';
import { checkCommand } from './cli/check.ts';
import { EXIT_FAILED, Failure, exitOnMisuse, messageOf } from './cli/failure.ts';
import { pcapCommand } from './cli/pcap.ts';
import { pfCommand } from './cli/pf.ts';
import { runCommand } from './cli/run.ts';
import { serveCommand } from './cli/serve.ts';
import { snapshotCommand } from './cli/snapshot.ts';
import { topCommand } from './cli/top.ts';
import { packageVersion } from './version.ts';

function stackscope(): Command {
  const program = new Command('stackscope')
    .description('a network lab of many io-pkt nodes in one process')
    .version(packageVersion(), '-V, --version', 'print the version')
    .showHelpAfterError('(try it with --help)');
  const serve = serveCommand(async (labPath, modules) => {
    const { createLabHost } = await import('./lab/lab-host.ts');
    return createLabHost(labPath, modules);
  });
  for (const verb of [
    runCommand(),
    topCommand(),
    snapshotCommand(),
    checkCommand(),
    pcapCommand(),
    bpfCommand(),
    pfCommand(),
    serve,
  ])
    program.addCommand(verb);
  return exitOnMisuse(program);
}

/** A reader that has gone away, as `head` does, is no failure. */
function ignoreClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}

async function main(): Promise<void> {
  ignoreClosedOutput();
  try {
    await stackscope().parseAsync();
  } catch (error) {
    process.stderr.write(`${error instanceof Failure ? error.message : `stackscope: ${messageOf(error)}`}\n`);
    process.exitCode = error instanceof Failure ? error.status : EXIT_FAILED;
  }
}

await main();
