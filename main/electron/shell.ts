/** The desktop shell: composes protocol, security rules, menu and window around a lab host. */
import { app, dialog, session } from 'electron';
import type { LabHostFactory, OwnedLabHost } from '../api/lab-host.ts';
import { createApiServer } from '../api/server.ts';
import { builtRendererFolder, listAssets } from '../web/assets.ts';
import { installMenu } from './menu.ts';
import { registerScheme, serveAssets } from './protocol.ts';
import { denyNavigation } from './security/deny-navigation.ts';
import { denyNewWindows } from './security/deny-new-windows.ts';
import { denyPermissions } from './security/deny-permissions.ts';
import { denyWebviews } from './security/deny-webviews.ts';
import { openWindow } from './window.ts';

/** The lab file named on the command line: after the program, and in a checkout after the folder it runs from. */
function labArgument(): string | undefined {
  const given = process.argv.filter((argument) => !argument.startsWith('-'));
  return given[app.isPackaged ? 1 : 2];
}

/** Folders with modules from outside: `--modules=FOLDER`, repeatable. */
function modulesArguments(): string[] {
  const option = '--modules=';
  return process.argv
    .filter((argument) => argument.startsWith(option))
    .map((argument) => argument.slice(option.length));
}

/** Runs the shell until its window is closed. Shall be called before Electron is ready. */
export async function runShell(createHost: LabHostFactory): Promise<void> {
  if (!app.requestSingleInstanceLock()) return app.quit();
  registerScheme();
  app.enableSandbox();
  app.on('web-contents-created', (_event, contents) => {
    denyNavigation(contents);
    denyNewWindows(contents);
    denyWebviews(contents);
  });
  await app.whenReady();
  try {
    await openLab(await createHost(labArgument(), modulesArguments()));
  } catch (error) {
    dialog.showErrorBox('Stackscope cannot start', error instanceof Error ? error.message : String(error));
    app.exit(1);
  }
}

async function openLab(host: OwnedLabHost): Promise<void> {
  denyPermissions(session.defaultSession);
  serveAssets(await listAssets(builtRendererFolder()));
  const api = createApiServer(host);
  installMenu((action) => api.sendMenuAction(action));
  const window = openWindow(api);
  app.on('second-instance', () => {
    window.restore();
    window.focus();
  });
  app.on('window-all-closed', () => {
    void host.shutdown().finally(() => app.quit());
  });
}
