/**
 * The native menu. What concerns the lab goes to the renderer as an action of the contract, so that both hosts do
 * the same; the accelerators are those the page itself listens to.
 */
import { app, Menu, type MenuItemConstructorOptions } from 'electron';
import type { MenuAction } from '../api/contract.ts';

export function installMenu(sendAction: (action: MenuAction) => void): void {
  const item = (label: string, action: MenuAction, accelerator?: string): MenuItemConstructorOptions => ({
    label,
    click: () => sendAction(action),
    ...(accelerator === undefined ? {} : { accelerator }),
  });
  const separator: MenuItemConstructorOptions = { type: 'separator' };
  const template: MenuItemConstructorOptions[] = [
    ...(process.platform === 'darwin' ? [{ role: 'appMenu' } as const] : []),
    {
      label: '&File',
      submenu: [
        item('Open Lab…', 'lab.open', 'CmdOrCtrl+O'),
        item('Open Capture…', 'capture.open', 'CmdOrCtrl+Shift+O'),
        item('Export Packets…', 'capture.export', 'CmdOrCtrl+Shift+S'),
        separator,
        { role: process.platform === 'darwin' ? 'close' : 'quit' },
      ],
    },
    { role: 'editMenu' },
    {
      label: '&View',
      submenu: [
        item('Zoom Map In', 'view.zoomIn'),
        item('Zoom Map Out', 'view.zoomOut'),
        item('Fit Map', 'view.fit'),
        item('Find Node', 'view.find', 'CmdOrCtrl+F'),
        separator,
        item('Change Theme', 'view.theme'),
        separator,
        { role: 'togglefullscreen' },
        { role: 'toggleDevTools' },
      ],
    },
    {
      label: '&Lab',
      submenu: [
        item('Start', 'lab.start', 'F5'),
        item('Stop', 'lab.stop', 'Shift+F5'),
        item('Restart', 'lab.restart', 'CmdOrCtrl+Shift+F5'),
      ],
    },
    { role: 'windowMenu' },
    { role: 'help', submenu: [item('Keyboard Shortcuts', 'help.shortcuts')] },
  ];
  app.setName('Stackscope');
  Menu.setApplicationMenu(Menu.buildFromTemplate(template));
}
