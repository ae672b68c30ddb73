/**
 * The preload script: the only thing of the shell that the page can see. It carries messages of the contract and
 * nothing else. CommonJS in one file, because a sandboxed preload can load no other.
 */
import electron = require('electron');

const { contextBridge, ipcRenderer } = electron;

contextBridge.exposeInMainWorld('stackscopeTransport', {
  send: (message: string): void => ipcRenderer.send('stackscope:message', message),
  onMessage: (listener: (message: string) => void): void => {
    ipcRenderer.on('stackscope:message', (_event, message: string) => listener(message));
  },
});
