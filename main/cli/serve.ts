/** `stackscope serve`: the lab in a browser. Runs until Ctrl-C (SIGINT) or SIGTERM, which stop it cleanly. */
import { Command, InvalidArgumentError } from 'commander';
import type { LabHostFactory } from '../api/lab-host.ts';
import { openBrowser } from '../web/open-browser.ts';
import { startWebHost } from '../web/web-host.ts';
import { watchInterrupts } from './interrupt.ts';
import { readLab } from './lab-input.ts';
import { addModulesOption } from './lab-options.ts';

interface ServeOptions {
  readonly port?: number;
  readonly open: boolean;
  readonly modules: readonly string[];
}

/** @param createHost makes the engine for the lab named on the command line. */
export function serveCommand(createHost: LabHostFactory): Command {
  const command = new Command('serve')
    .description(
      'serve a lab to a browser on this machine: 127.0.0.1 only, with a random token in the address',
    )
    .argument('[lab]', 'lab file to open and start (without it, the window offers the examples)')
    .option('-p, --port <number>', 'TCP port to listen on (default: any free one)', parsePort)
    .option('--open', 'open the address in the default browser', false);
  return addModulesOption(command).action((lab: string | undefined, options: ServeOptions) =>
    serve(createHost, lab, options),
  );
}

async function serve(
  createHost: LabHostFactory,
  lab: string | undefined,
  options: ServeOptions,
): Promise<void> {
  if (lab !== undefined) await readLab(lab);
  const host = await createHost(lab, options.modules);
  try {
    const web = await startWebHost({ host, port: options.port });
    process.stdout.write(`Stackscope is at ${web.url}\n`);
    if (options.open) await openBrowser(web.url);
    const interruption = watchInterrupts();
    await interruption.requested;
    await web.close();
  } finally {
    await host.shutdown();
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('Expected a port number from 0 to 65535.');
}
