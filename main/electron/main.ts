/** What Electron starts: the desktop shell around the engine. */
import { createLabHost } from '../lab/lab-host.ts';
import { runShell } from './shell.ts';

void runShell(createLabHost);
